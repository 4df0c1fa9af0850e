import { BATCHES } from './batches.js';
import { CATCH_UPS } from './catch-ups.js';
import type { Defect } from './defect.js';
import { HOSTS } from './hosts.js';
import { LEASES } from './leases.js';
import { MEMBERS } from './members.js';
import { ORIGINAL } from './original.js';
import { PROMISES } from './promises.js';
import { STORES } from './stores.js';
import { VOTES } from './votes.js';
import { WRITTEN } from './writes.js';

/** Each of these must be found: else nothing shows that its rule is tested. */
export const DEFECTS: readonly Defect[] = [
  ...[...ORIGINAL, ...VOTES, ...LEASES, ...PROMISES, ...STORES],
  ...[...BATCHES, ...CATCH_UPS, ...WRITTEN, ...MEMBERS, ...HOSTS],
];
