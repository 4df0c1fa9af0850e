import type { NacosDatums, Output } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, type Host, IN_USE, L, peer } from './cluster.js';
import { beat, leaderOf, one, refusal } from './support.js';

const KEY = 'com.alibaba.nacos.naming.domains.meta.public##G@@a';
const LIST = 'com.alibaba.nacos.naming.iplist.public##G@@a';
const value = { name: 'G@@a' };

function datumsOf({ core }: Host): NacosDatums {
  if (core.nacosDatums === null) throw new Error('the rules of Nacos are not in force');
  return core.nacosDatums;
}

/** The leader of term 6, of the peers A, B and C. */
function leader(members: readonly string[] = [A, B, C]): Host {
  const host = one({ rules: 'nacos', random: () => 0.5 }, { ...IN_USE, term: 5 }, members);
  host.core.tick(L);
  host.core.saved({ ...IN_USE, term: 6, voteFor: A }, L);
  for (const ip of members.filter((other) => other !== A))
    host.core.receivedVoteReply(ip, { ...peer(ip, { term: 6, voteFor: A }), granted: true }, L);
  expect(host.core.isLeader(L)).toBe(true);
  host.core.takeOutputs();
  return host;
}

const types = (outputs: readonly Output[]): readonly string[] =>
  outputs.map((output) => (output.type === 'send' ? output.request.type : output.type));

test('every beat of the leader that is followed names its keys: what came since the last one is fetched', () => {
  const host = one({ rules: 'nacos', random: () => 0.5 }, { ...IN_USE, term: 5, voteFor: B });
  const beatAt = (now: number, datums: readonly { key: string; timestamp: number }[]): readonly string[] => {
    host.core.receivedBeat({ peer: leaderOf(B, 5), datums }, now);
    return types(host.core.takeOutputs());
  };
  expect(beatAt(L, [])).toEqual([]);
  expect(beatAt(L + 1, [])).toEqual([]);
  expect(beatAt(L + 2, [{ key: KEY, timestamp: 1 }])).toEqual(['nacosGet']);
});

describe('publish', () => {
  test('applies, stores, adds 100 to the term, saves it, and only then tells the others', () => {
    const host = leader();
    expect(datumsOf(host).publish(KEY, value, L)).toEqual({ write: 106 });
    const outputs = host.core.takeOutputs();
    expect(types(outputs)).toEqual(['nacosDatum', 'save', 'nacosCommit']);
    const datum = { key: KEY, value, timestamp: 1 };
    expect(outputs[2]).toMatchObject({ to: [B, C], request: { datum, source: { ip: A, term: 106 } } });
    expect(datumsOf(host).get(KEY)).toEqual(datum);
  });

  test('ends when a majority has confirmed, each member counted once, members alone', () => {
    const host = leader([A, B, C, 'd:1', 'e:1']);
    datumsOf(host).publish(KEY, value, L);
    const commit = { datum: { key: KEY, value, timestamp: 1 }, source: leaderOf(A, 106) };
    host.core.takeOutputs();
    for (const from of [B, B, 'x:1']) datumsOf(host).receivedAck(from, commit, L);
    datumsOf(host).receivedAck(C, { ...commit, source: leaderOf(A, 6) }, L);
    expect(host.core.takeOutputs()).toEqual([]);
    datumsOf(host).receivedAck(C, commit, L);
    expect(host.core.takeOutputs()).toEqual([{ type: 'nacosWritten', write: 106, error: null }]);
    datumsOf(host).receivedAck('d:1', commit, L);
    expect(host.core.takeOutputs()).toEqual([]);
  });

  test('fails after 5 s without a majority, and stays', () => {
    const host = leader();
    datumsOf(host).publish(KEY, value, L);
    host.core.takeOutputs();
    const failed = (at: number) => {
      host.core.tick(at);
      return host.core.takeOutputs().filter(({ type }) => type === 'nacosWritten');
    };
    expect(host.core.nextDeadline()).toBeLessThanOrEqual(L + 5_000);
    expect(failed(L + 4_999)).toEqual([]);
    expect(failed(L + 5_000)).toMatchObject([{ write: 106, error: { code: 'TIMEOUT' } }]);
    expect(datumsOf(host).get(KEY)).toMatchObject({ timestamp: 1 });
  });

  test('of a cluster of one ends behind its own save', () => {
    const host = leader([A]);
    datumsOf(host).publish(KEY, value, L);
    expect(types(host.core.takeOutputs())).toEqual(['nacosDatum', 'save', 'nacosWritten']);
  });

  test('elsewhere than at the leader names the leader, and fails with NO_LEADER when there is none', () => {
    const host = one({ rules: 'nacos', random: () => 0.5 });
    expect(refusal(() => datumsOf(host).publish(KEY, value, 1)).code).toBe('NO_LEADER');
    expect(refusal(() => datumsOf(host).remove(KEY, 1)).code).toBe('NO_LEADER');
    host.core.receivedBeat(beat(B, 5), 1);
    expect(datumsOf(host).publish(KEY, value, 1)).toEqual({ forwardTo: B });
    expect(datumsOf(host).remove(KEY, 1)).toBe(B);
    expect(datumsOf(host).keys()).toEqual([]);
  });

  test.each([
    ['a key of no known kind', 'k', value],
    ['a key that original peers would split', `${KEY},`, value],
    ['a key that original peers would decode', `${KEY}%41`, value],
    ['a key that original peers could not remove', `${KEY}+`, value],
    ['no value', KEY, null],
    ['a value that is no object', KEY, 'text'],
  ])('refuses %s, and nothing changes', (_, key, given) => {
    const host = leader();
    expect(refusal(() => datumsOf(host).publish(key, given as never, L)).code).toBe('BAD_REQUEST');
    expect(host.core.takeOutputs()).toEqual([]);
    expect(host.self.term).toBe(6);
  });

  test('or a removal ends in time: what is due first is due, and a removal is told to the others at once', () => {
    const host = leader();
    const datums = datumsOf(host);
    datums.publish(KEY, value, L);
    datums.publish(LIST, value, L + 7);
    expect(datums.due).toBe(L + 5_000);
    host.core.takeOutputs();
    expect(datums.remove(KEY, L + 8)).toBeNull();
    expect(datums.keys()).toEqual([LIST]);
    expect(host.core.takeOutputs()).toMatchObject([
      { type: 'nacosDatum', key: KEY, datum: null },
      { type: 'send', to: [B, C], request: { type: 'nacosDelete', key: KEY, source: { ip: A } } },
    ]);
  });

  test('or a removal puts the next election off, and again when a member confirms the removal', () => {
    const host = leader();
    const dueAfter = (act: () => unknown, now: number) => {
      act();
      return host.core.getPeer(now).leaderDueMs;
    };
    const full = dueAfter(() => datumsOf(host).publish(KEY, value, L + 1), L + 1);
    expect(dueAfter(() => {}, L + 2)).toBe(full - 1);
    expect(dueAfter(() => datumsOf(host).remove(KEY, L + 2), L + 2)).toBe(full);
    const confirmed = (now: number) => dueAfter(() => datumsOf(host).receivedDeleteAck(now), now);
    expect(confirmed(L + 3)).toBe(full);
    // One that is no member any more has no election to put off.
    host.core.peers.changePeers([B, C]);
    expect(confirmed(L + 4)).toBe(full - 1);
  });

  test('goes to the highest term there is, and is refused when none is left to go to', () => {
    const term = Number.MAX_SAFE_INTEGER - 99;
    const host = leader();
    host.self.term = term;
    expect(refusal(() => datumsOf(host).publish(KEY, value, L))).toMatchObject({ code: 'BUSY', term });
    expect(datumsOf(host).keys()).toEqual([]);
    host.self.term = term - 1;
    expect(datumsOf(host).publish(KEY, value, L)).toEqual({ write: Number.MAX_SAFE_INTEGER });
  });
});

describe('what a leader tells', () => {
  const commit = (term: number, key = KEY) => ({
    datum: { key, value, timestamp: 3 },
    source: leaderOf(B, term),
  });
  const follower = (): Host => {
    const host = one({ rules: 'nacos', random: () => 0.5 });
    host.core.receivedBeat(beat(B, 5), 1);
    host.core.takeOutputs();
    return host;
  };

  test('is applied, and its term taken over if it is less than one publish ahead, else a step towards it', () => {
    const host = follower();
    const terms = (term: number) => {
      datumsOf(host).receivedCommit(commit(term), 2);
      return [host.self.term, host.core.peers.leader?.term];
    };
    expect(terms(104)).toEqual([104, 104]);
    // A step is no news of the leader.
    expect(terms(204)).toEqual([204, 104]);
    expect(terms(999)).toEqual([304, 104]);
    expect(types(host.core.takeOutputs())).toEqual(Array(3).fill(['nacosDatum', 'save']).flat());
  });

  test.each([
    ['one who does not lead', { ...commit(5), source: leaderOf(C, 5) }, 'NOT_LEADER'],
    ['a lower term', commit(4), 'OUT_OF_DATE'],
    ['no value', { ...commit(5), datum: { key: KEY, timestamp: 1, value: null as never } }, 'BAD_REQUEST'],
  ])('is refused from %s, and nothing changes', (_, given, code) => {
    const host = follower();
    const due = host.core.nextDeadline();
    expect(refusal(() => datumsOf(host).receivedCommit(given, 2)).code).toBe(code);
    expect(host.core.takeOutputs()).toEqual([]);
    expect(host.core.nextDeadline()).toBe(due);
  });

  test('of a removal is done; the term follows for the key of a service alone', () => {
    const host = follower();
    for (const key of [KEY, LIST]) datumsOf(host).receivedCommit(commit(5, key), 2);
    datumsOf(host).receivedDelete({ key: LIST, source: leaderOf(B, 50) }, 3);
    expect(host.self.term).toBe(5);
    datumsOf(host).receivedDelete({ key: KEY, source: leaderOf(B, 50) }, 3);
    expect(host.self.term).toBe(50);
    expect(datumsOf(host).keys()).toEqual([]);
  });

  test('in a beat is asked for in batches of 50, and what it does not name is deleted', () => {
    const host = follower();
    datumsOf(host).receivedCommit(commit(5), 2);
    host.core.takeOutputs();
    const datums = Array.from({ length: 51 }, (_, at) => ({ key: `meta.${at}`, timestamp: 1 }));
    host.core.receivedBeat({ ...beat(B, 5), datums }, 3);
    const outputs = host.core.takeOutputs();
    expect(types(outputs)).toEqual(['nacosGet', 'nacosGet', 'nacosDatum']);
    const keys = outputs.flatMap((output) =>
      output.type === 'send' && output.request.type === 'nacosGet' ? [output.request.keys] : [],
    );
    expect(keys.map(({ length }) => length)).toEqual([50, 1]);
    expect(keys[1]).toEqual(['com.alibaba.nacos.naming.domains.meta.50']);
    expect(datumsOf(host).keys()).toEqual([]);
  });

  test('is asked for if it is newer there, of the peer that beats, and left if it is not', () => {
    const host = follower();
    datumsOf(host).receivedCommit(commit(5), 2);
    host.core.takeOutputs();
    const asked = (timestamp: number) => {
      host.core.receivedBeat({ ...beat(B, 5), datums: [{ key: 'meta.public##G@@a', timestamp }] }, 3);
      return host.core.takeOutputs();
    };
    expect([asked(2), asked(3)]).toEqual([[], []]);
    expect(asked(4)).toMatchObject([{ type: 'send', to: [B], request: { type: 'nacosGet', keys: [KEY] } }]);
  });

  test('is taken when it comes, stored, and left if it is as new here already, or is of no known kind', () => {
    const host = follower();
    const came = (key: string, timestamp: number, at: number) => {
      datumsOf(host).receivedDatums(5, { datums: [null, { key, value, timestamp }] }, at);
      return host.core.takeOutputs();
    };
    expect(came('k', 9, 3)).toEqual([]);
    expect(came(KEY, 2, 4)).toMatchObject([{ type: 'nacosDatum', isStored: true }]);
    expect([came(KEY, 1, 5), came(KEY, 2, 6)]).toEqual([[], []]);
    expect(datumsOf(host).keys()).toEqual([KEY]);
    expect(types(came(KEY, 3, 7))).toEqual(['nacosDatum']);
  });

  test('is not looked at, and nothing deleted, by one that beats without keys itself', () => {
    const host = follower();
    datumsOf(host).receivedCommit(commit(5), 2);
    host.core.takeOutputs();
    datumsOf(host).sendBeatOnly = true;
    host.core.receivedBeat({ ...beat(B, 5), datums: [{ key: 'meta.other', timestamp: 1 }] }, 3);
    expect([host.core.takeOutputs(), datumsOf(host).keys()]).toEqual([[], [KEY]]);
  });

  test('does not name is deleted, but for what cannot be decoded', () => {
    const host = follower();
    for (const key of [`${KEY}%`, KEY]) datumsOf(host).receivedCommit(commit(5, key), 2);
    host.core.receivedBeat(beat(B, 5), 3);
    expect(datumsOf(host).keys()).toEqual([`${KEY}%`]);
  });

  test('of a removal is refused when the key cannot be decoded', () => {
    const given = { key: `${KEY}%`, source: leaderOf(B, 5) };
    expect(refusal(() => datumsOf(follower()).receivedDelete(given, 2)).code).toBe('BAD_REQUEST');
  });

  test('is refused with the term of the one who refuses', () => {
    const host = follower();
    for (const given of [{ ...commit(5), source: leaderOf(C, 5) }, commit(4)])
      expect(refusal(() => datumsOf(host).receivedCommit(given, 2)).term).toBe(5);
  });

  test('late can not take back a term that was saved (D4)', () => {
    const host = follower();
    host.core.receivedVote({ peer: { ...peer(C, { term: 50 }), state: 'CANDIDATE' } }, 2);
    datumsOf(host).receivedDatums(5, { datums: [{ key: KEY, value, timestamp: 1 }] }, 3);
    expect(host.self.term).toBe(50);
    expect(datumsOf(host).get(KEY)).toMatchObject({ value });
  });

  test('late raises no term once there is no leader any more', () => {
    const host = follower();
    host.core.tick(10 * L);
    expect([host.self.term, host.core.peers.leader]).toEqual([6, null]);
    datumsOf(host).receivedDatums(50, { datums: [{ key: KEY, value, timestamp: 1 }] }, 10 * L);
    expect(host.self.term).toBe(6);
  });
});

describe('the registry of the original', () => {
  test('is there under its rules alone', () => {
    expect(one().core.nacosDatums).toBeNull();
  });

  test('begins with what the store held, and names it in brief', () => {
    const nacosDatums = [
      { key: KEY, value, timestamp: 7 },
      { key: LIST, value, timestamp: 8 },
    ];
    const host = one({ rules: 'nacos', nacosDatums });
    expect(datumsOf(host).beatKeys()).toEqual([
      { key: 'meta.public##G@@a', timestamp: 7 },
      { key: 'iplist.public##G@@a', timestamp: 8 },
    ]);
    expect(datumsOf(host).received({ keys: [LIST, 'x'] })).toEqual({ datums: [nacosDatums[1], null] });
    datumsOf(host).sendBeatOnly = true;
    expect(datumsOf(host).beatKeys()).toEqual([]);
  });
});
