import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needsRecordings, recordingsOf } from '../fixtures/recordings.js';
import { check, type Model } from './check.js';
import { buildCore, type CoreBuild } from './core-build.js';
import { readScenarios, type Scenario, type Step } from './format.js';
import { expect as expectation } from './original.js';
import { ALL_RULES, type Rule } from './rules.js';

const data = (version: string, about = 'election'): string =>
  fileURLToPath(new URL(`data/${about}-${version}.jsonl.gz`, import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));

let core: CoreBuild;
beforeAll(async () => {
  core = await buildCore();
});

describe('the recordings of the original', () => {
  test.each([
    ['1.2.1', 'election'],
    ['1.3.2', 'election'],
    ['1.2.1', 'datums'],
    ['1.3.2', 'datums'],
  ])('the sample of %s, %s, has no step that nothing explains', (version, about) => {
    const report = check(core, readScenarios(data(version, about)));
    expect(report.complaints).toEqual([]);
    expect(report.steps).toBe(report.identical + report.explained);
    expect(report.identical).toBeGreaterThan(report.explained);
  });

  test('all of 1.2.1 and a share of 1.3.2 have none either, where they are at hand', (context) => {
    needsRecordings(context);
    const read = (name: string) => readScenarios(recordingsOf(name));
    const share = [...read('v1.3.2/election.jsonl.gz'), ...read('v1.3.2/datums.jsonl.gz')];
    const report = check(core, [
      ...read('v1.2.1/election.jsonl.gz'),
      ...read('v1.2.1/datums.jsonl.gz'),
      ...share.filter((_, at) => at % 8 === 0),
    ]);
    expect(report.complaints).toEqual([]);
    expect(report.steps).toBeGreaterThan(20_000);
  });
});

describe('what the replay finds', () => {
  const scenarios = [data('1.2.1'), data('1.2.1', 'datums')]
    .flatMap(readScenarios)
    .filter(({ id }) => id.startsWith('x-'));
  const scenario = (id: string): Scenario => scenarios.find((known) => known.id === id) as Scenario;

  test.each<[string, (step: Step) => Partial<Step>]>([
    ['another reply', ({ outcome }) => ({ outcome: { value: { ...(outcome.value as object), term: 77 } } })],
    ['an error instead of a reply', () => ({ outcome: { error: 'no', type: 'IllegalStateException' } })],
    ['another vote', (step) => ({ after: withLocal(step, { voteFor: '10.0.0.3:8848' }) })],
    ['another due', (step) => ({ after: withLocal(step, { leaderDueMs: 15_001 }) })],
    ['a leader', ({ after }) => ({ after: { ...after, leader: OTHER, leaderIsMapEntry: false } })],
    ['an event', () => ({ events: [{ type: 'MakeLeaderEvent', ip: OTHER.ip, term: 1 }] })],
    [
      'a request',
      () => ({ outgoing: [{ id: 99, method: 'GET', target: OTHER.ip, path: '/nacos/v1/ns/raft/peer' }] }),
    ],
    ['a draw more', ({ draws = [] }) => ({ draws: [...draws, 1] })],
  ])('a step that was recorded with %s is unexplained', (_, alter) => {
    const honest = scenario('x-vote-not-persisted');
    const [first, ...rest] = honest.steps as [Step];
    expect(check(core, [honest]).unexplained).toBe(0);
    const report = check(core, [{ ...honest, steps: [{ ...first, ...alter(first) } as Step, ...rest] }]);
    expect(report.unexplained).toBeGreaterThan(0);
    expect(report.complaints[0]).toContain('x-vote-not-persisted (1.2.1) step 0 receivedVote');
  });

  test.each([...ALL_RULES].filter((rule) => rule !== 'version'))(
    'the steps that %s explains are unexplained without it, and where it expects anything else',
    (rule) => {
      const report = check(core, scenarios);
      const explained = rule === 'D4' ? report.saves : (report.byRule.get(rule) ?? 0);
      expect(explained).toBeGreaterThan(0);
      expect(check(core, scenarios, lacking(rule)).unexplained).toBeGreaterThanOrEqual(explained);
      expect(check(core, scenarios, altered(rule)).unexplained).toBeGreaterThanOrEqual(explained);
    },
  );

  test.each([
    ['grants a second vote in a term', 'peer.term > this.#self.term;', 'peer.term >= this.#self.term;'],
    [
      'accepts beats of an older term',
      'if (this.#self.term > peer.term)',
      'if (this.#self.term > peer.term + 1)',
    ],
    [
      'does not save',
      "this.peers.output({ type: 'save', state: this.#saving,",
      "void ({ type: 'save', state: this.#saving,",
    ],
    ['sends no beats', 'this.#send(this.peers.others, ', 'this.#send([], '],
    ['applies a datum whose term is too low', 'if (source.term < term)', 'if (source.term < 0)'],
    [
      'adds to the term once too often',
      'else this.#followTerm(sourceTerm);',
      'this.#followTerm(sourceTerm + 100);',
    ],
    ['asks for keys in larger batches', 'BATCH_KEYS = 50', 'BATCH_KEYS = 51'],
    ['deletes nothing', 'of [...unnamed]', 'of []'],
    ['names no keys', '.map(({ key, timestamp }) => ({ key: briefKey(key), timestamp }))', '.slice(0, 0)'],
    ['takes a term back', 'Math.max(self.term, term)', 'term'],
    ['counts nobody who confirms', '?.acks.add(from)', '?.acks'],
    ['takes what is older', 'datum.timestamp <= known.timestamp', 'false'],
    ['stores what is ephemeral', 'isPersistentKey(datum.key))', 'true)'],
    ['counts no votes', 'this.#votes.add(reply.ip)', 'this.#votes'],
  ])('a core that %s is found', async (_, right, wrong) => {
    let edits = 0;
    const erring = await buildCore((source) => {
      if (!source.includes(right)) return source;
      edits++;
      return source.replace(right, () => wrong);
    });
    expect(edits).toBe(1);
    expect(check(erring, scenarios).unexplained).toBeGreaterThan(0);
  });
});

describe('npm run traces', () => {
  const folder = mkdtempSync(join(tmpdir(), 'raftbeat-traces-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const run = (...files: string[]) => {
    const args = ['--import', 'tsx', 'test/traces/run.ts', ...files];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    return { status, last: stdout.trimEnd().split('\n').at(-1) };
  };

  test('ends with the sum, and with 0 when nothing is unexplained', () => {
    const { status, last } = run(data('1.3.2'));
    expect(last).toMatch(/^\d+ steps, \d+ identical, \d+ explained, 0 unexplained$/);
    expect(status).toBe(0);
  });

  test('does not end with 0 when a step is unexplained, or there is none', () => {
    const line = JSON.stringify(readScenarios(data('1.2.1'))[0]).replaceAll('"term":1', '"term":3');
    const wrong = join(folder, 'wrong.jsonl.gz');
    writeFileSync(wrong, gzipSync(line));
    const { status, last } = run(wrong);
    expect(last).toMatch(/ [1-9]\d* unexplained$/);
    expect(status).toBe(1);
    expect(run().status).toBe(2);
  });
});

const OTHER = {
  ip: '10.0.0.2:8848',
  state: 'LEADER',
  term: 1,
  voteFor: null,
  leaderDueMs: 15_000,
  heartbeatDueMs: 5_000,
} as const;

function withLocal({ after }: Step, fields: object): Step['after'] {
  const local = '10.0.0.1:8848';
  return { ...after, peers: { ...after.peers, [local]: { ...after.peers[local], ...fields } as never } };
}

/** The model without one of its rules. */
function lacking(rule: Rule): Model {
  return (world, step, rules) =>
    expectation(world, step, new Set([...rules].filter((other) => other !== rule)));
}

/** The model with an event too many wherever `rule` has a say. */
function altered(rule: Rule): Model {
  return (world, step, rules) => {
    const expected = expectation(world, step, rules);
    if (!expected.used.has(rule)) return expected;
    const { outcome } = expected;
    return { ...expected, outcome: { ...outcome, events: [...outcome.events, 'MakeLeaderEvent x 1'] } };
  };
}
