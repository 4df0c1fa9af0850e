import { RaftError, textOf } from '../core/errors.js';
import { Membership } from '../core/membership.js';
import type { Timing } from '../core/timing.js';
import type { Clock } from '../node/clock.js';
import { type RaftNodeOptions, resolveOptions } from '../node/options.js';
import type { GroupStore } from '../stores/group-store.js';
import { MemoryGroupStore } from '../stores/memory-groups.js';
import type { Transport } from '../transports/transport.js';

/** What a host has in common with a node; `ip` and `members` are those of the hosts, the same for all groups. */
type SharedOptions = Pick<
  RaftNodeOptions,
  | 'ip'
  | 'members'
  | 'transport'
  | 'bootstrap'
  | 'rejoin'
  | 'stopOnSignals'
  | 'clock'
  | 'random'
  | keyof Timing
>;

/** Options of a `RaftHost`; the times of `Timing` may be given one by one, beside or without a preset. */
export interface RaftHostOptions extends SharedOptions {
  /** Where this host keeps what its groups must not forget. @default a new MemoryGroupStore, which forgets it with the process */
  readonly store?: GroupStore;
  /** `lan`: L = 500 ms. `wan`: L = 5 s. @default 'lan' */
  readonly preset?: 'lan' | 'wan';
  /**
   * Whether leadership is handed over until all hosts of the highest priority that are there lead equally many groups.
   * @default true
   */
  readonly balance?: boolean;
}

/** The options with all defaults in place. */
export interface ResolvedHostOptions {
  readonly ip: string;
  /** Shared by all groups. */
  readonly members: Membership;
  readonly transport: Transport;
  readonly store: GroupStore;
  readonly timing: Timing;
  readonly bootstrap: boolean;
  readonly rejoin: 'majority' | 'strict';
  readonly balance: boolean;
  readonly stopOnSignals: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
}

/** Options of a node that a host does not have. */
const NOT_OF_HOSTS = ['nacosDatums', 'rules', 'registry', 'sendBeatOnly', 'releaseOnDisconnect'] as const;

/**
 * Fills in the defaults and checks everything that can be checked before the start.
 *
 * @throws RaftError `BAD_OPTION` naming the option, what was expected and what came
 */
export function resolveHostOptions(options: RaftHostOptions): ResolvedHostOptions {
  if (typeof options !== 'object' || options === null)
    throw new RaftError('BAD_OPTION', `options must be an object, not ${textOf(options)}`);
  for (const name of NOT_OF_HOSTS)
    if (name in options) throw new RaftError('BAD_OPTION', `${name} is an option of nodes, not of hosts`);
  const { store = new MemoryGroupStore(), balance = true, ...shared } = options;
  if ((shared.preset as string | undefined) === 'nacos')
    throw new RaftError(
      'BAD_OPTION',
      "preset must be 'lan' or 'wan', not 'nacos': original peers know no groups",
    );
  if (typeof balance !== 'boolean')
    throw new RaftError('BAD_OPTION', `balance must be true or false, not ${textOf(balance)}`);
  checkStore(store);
  const { ip, transport, bootstrap, rejoin, stopOnSignals, clock, random, ...resolved } =
    resolveOptions(shared);
  // With thousands of groups whose turn it is at the same time, it takes longer until they are elected: those who come next
  // must not join in before, nor those who failed come again at once.
  const { leaderTimeoutMs } = resolved.timing;
  const { staggerMs = leaderTimeoutMs, randomMs = leaderTimeoutMs } = options;
  const timing = { ...resolved.timing, staggerMs, randomMs };
  const members = Membership.of(resolved.members);
  return {
    ip,
    members,
    transport,
    store,
    timing,
    bootstrap,
    rejoin,
    balance,
    stopOnSignals,
    clock,
    random,
  };
}

function checkStore(store: GroupStore): void {
  const methods = ['open', 'save', 'close'] as const;
  const isStore = typeof store === 'object' && store !== null;
  if (isStore && methods.every((name) => typeof store[name] === 'function')) return;
  throw new RaftError('BAD_OPTION', 'store must be a GroupStore, with open, save and close');
}
