import { parseArgs } from 'node:util';
import { RaftError, textOf } from '../core/errors.js';
import { type Address, readAddress } from './address.js';
import { type Agreement, agreementOf, type Finding } from './agreement.js';
import { askState } from './ask.js';
import { bad, type Command, plain } from './command.js';
import { ASKING, ASKING_HELP, type Asking, readAsking } from './options.js';
import { tableOf } from './table.js';

export const state: Command = {
  usage: 'state URL...',
  summary: 'Asks peers how they are, and whether they agree on one leader.',
  details: `URL is where a peer is reached: 127.0.0.1:7001, or with a scheme, or with the path of its transport, if that is
not /raft. The end of a lease and the newest data are as each peer told them.

${ASKING_HELP}

Exit codes: 0: all agree on one leader; 1: they do not, or one did not answer; 2: the command was called wrongly.`,
  run: async (args) => {
    const { values, positionals } = parseArgs({ args: [...args], options: ASKING, allowPositionals: true });
    const asking = readAsking(values);
    if (positionals.length === 0) throw bad('state: whom to ask?');
    const findings = await Promise.all(positionals.map(readAddress).map((address) => find(address, asking)));
    const agreement = agreementOf(findings);
    if (values.json) console.log(JSON.stringify(asJson(findings, agreement), null, 2));
    else print(findings, agreement);
    return agreement.problems.length === 0 ? 0 : 1;
  },
};

async function find(address: Address, asking: Asking): Promise<Finding> {
  const { url } = address;
  try {
    return { url, view: await askState(address, asking) };
  } catch (error) {
    return { url, view: null, problem: error instanceof RaftError ? error.message : textOf(error) };
  }
}

function asJson(findings: readonly Finding[], { leader, problems }: Agreement): object {
  return {
    ok: problems.length === 0,
    leader: leader?.ip ?? null,
    term: leader?.term ?? null,
    problems,
    peers: findings.map((it) =>
      it.view === null
        ? { url: it.url, reachable: false, problem: it.problem }
        : { url: it.url, reachable: true, ...it.view },
    ),
  };
}

const HEAD = ['peer', 'role', 'term', 'leader', 'lease left', 'revision', 'reachable'];

function print(findings: readonly Finding[], { leader, problems }: Agreement): void {
  process.stdout.write(tableOf([HEAD, ...findings.map(rowOf)]));
  for (const problem of problems) console.error(plain(problem));
  if (leader !== null && problems.length === 0) console.log(`${leader.ip} leads in term ${leader.term}`);
}

function rowOf({ url, view }: Finding): readonly string[] {
  if (view === null) return [url, '-', '-', '-', '-', '-', 'no'];
  const { ip, state, rejoining, term, leader, leaseMs, revision } = view;
  return [
    ip,
    rejoining ? 'REJOINING' : state,
    `${term}`,
    leader ?? '-',
    leaseMs === undefined ? '-' : `${Math.floor(leaseMs)} ms`,
    revision === undefined ? '-' : `${revision.term}.${revision.seq}`,
    'yes',
  ];
}
