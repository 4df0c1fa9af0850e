import { RaftCore, RaftPeerSet } from 'raftbeat';
import { expect, test } from 'vitest';
import { encodeMembers, MEMBERS_KEY } from '../../../src/core/members.js';
import { A, IN_USE } from '../cluster.js';
import { LIMITS, rev } from './support.js';

const MEMBERS = [{ ip: A, priority: 1, observer: false }];

/** The one peer of a cluster that holds `members` and has seen timestamps up to `stampFloor`, once it is elected. */
function elected(stampFloor: number, members: string | null) {
  const list = { key: MEMBERS_KEY, value: members ?? '', timestamp: 1, revision: rev('0/0') };
  const datums = new Map(members === null ? [] : [[MEMBERS_KEY, list]]);
  const core = new RaftCore({
    peers: new RaftPeerSet({ local: A, members: [A] }),
    random: () => 0,
    stored: IN_USE,
    registry: LIMITS,
    data: { base: { revision: rev('0/0'), stampFloor, datums }, tail: [] },
  });
  core.tick(0);
  const made = [];
  for (let outputs = core.takeOutputs(); outputs.length > 0; outputs = core.takeOutputs()) {
    made.push(...outputs);
    for (const output of outputs) if (output.type === 'save') core.saved(output.state, 1, output.data);
  }
  const appended = made.flatMap((output) => (output.type === 'save' ? (output.data?.append ?? []) : []));
  return { core, appended, answers: made.filter(({ type }) => type === 'answer') };
}

test.each([0, 7])(
  'in a new cluster the first batch holds the members, with a timestamp above %i',
  (stampFloor) => {
    const { core, appended, answers } = elected(stampFloor, null);
    const op = { key: MEMBERS_KEY, value: encodeMembers(MEMBERS), timestamp: stampFloor + 1 };
    expect(appended).toEqual([{ revision: rev('1/1'), ops: [op] }]);
    expect(core.datums?.get(MEMBERS_KEY)).toMatchObject(op);
    expect(answers).toEqual([]);
  },
);

test('in a cluster that holds its members the first batch is empty', () => {
  expect(elected(0, encodeMembers(MEMBERS)).appended).toEqual([{ revision: rev('1/1'), ops: [] }]);
});
