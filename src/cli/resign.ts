import { parseArgs } from 'node:util';
import { RaftError } from '../core/errors.js';
import { type Address, readAddress } from './address.js';
import { askState, askToResign } from './ask.js';
import { bad, type Command } from './command.js';
import { ASKING, ASKING_HELP, type Asking, readAsking } from './options.js';
import { readSecret } from './secret.js';
import type { View } from './view.js';

const OPTIONS = { ...ASKING, to: { type: 'string' }, 'secret-file': { type: 'string' } } as const;

/** Refusals that come before anything is given up. */
const KEPT: ReadonlySet<string> = new Set([
  'BAD_REQUEST',
  'BAD_TARGET',
  'NOT_LEADER',
  'NOT_RUNNING',
  'UNAUTHORIZED',
  'UNSUPPORTED',
]);

export const resign: Command = {
  usage: 'resign URL',
  summary: 'Has the leader hand over to another peer.',
  details: `URL is where the leader is reached, as for \`raftbeat state\`. It obeys who knows the secret of the members, or anybody
with \`remoteResign: true\`. The secret is read from the environment variable RAFTBEAT_SECRET, or from a file.

  --to IP           the peer that is to lead; without it the leader chooses
  --secret-file FILE
${ASKING_HELP}

Exit codes: 0: another peer took the order to lead; 1: none did; 2: the command was called wrongly.`,
  run: async (args) => {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    const asking = readAsking(values);
    const secret = readSecret(values['secret-file']);
    const [url, more] = positionals;
    if (url === undefined || more !== undefined) throw bad('resign: expected one URL, that of the leader');
    const address = readAddress(url);
    const leader = await leaderAt(address, asking);
    const to = await handOver(address, asking, { ip: leader.ip, to: values.to, secret });
    const done = { from: leader.ip, term: leader.term, to };
    console.log(values.json ? JSON.stringify(done) : `${done.from} gave up, and ${to} takes over`);
    return 0;
  },
};

async function leaderAt(address: Address, asking: Asking): Promise<View> {
  const view = await askState(address, asking);
  if (view.isLeader) return view;
  throw new RaftError('NOT_LEADER', `${view.ip} does not lead: ${view.leader ?? 'nobody'} does`);
}

async function handOver(...order: Parameters<typeof askToResign>): Promise<string> {
  try {
    return await askToResign(...order);
  } catch (cause) {
    if (!(cause instanceof RaftError) || KEPT.has(cause.code)) throw cause;
    const what = `${cause.message}; it may have given up all the same, and another is elected then`;
    throw new RaftError(cause.code, what, { cause });
  }
}
