import { RaftError, type Transport } from 'raftbeat';
import { expect, test } from 'vitest';
import { Requests } from '../../src/node/requests.js';
import { Traffic } from '../../src/node/traffic.js';
import { Host } from './virtual.js';

test('the time of a vote, which waits for a save, is no round trip', () => {
  const traffic = new Traffic();
  traffic.answered('b:1', 'vote', { granted: true }, 10, 40);
  expect(traffic.linkTo('b:1', 45)).toEqual({
    ip: 'b:1',
    roundTripMs: null,
    smoothedRoundTripMs: null,
    silentMs: 5,
  });
});

test('of a publication each answer is counted, and each peer that is silent', () => {
  let now = 0;
  let heard = (_from: string, _reply: unknown): void => {};
  const transport: Transport = {
    start: async () => {},
    stop: async () => {},
    request: () => new Promise(() => {}),
    broadcast: (_to, _request, options) => {
      heard = options.answered;
    },
  };
  const traffic = new Traffic();
  const requests = new Requests(transport, new Host(() => now), 1_000, traffic);
  const beats = { type: 'beats', ip: 'a:1' } as unknown as Parameters<Requests['publish']>[1];
  requests.publish(
    ['b:1', 'c:1', 'd:1'],
    beats,
    () => {},
    () => {},
  );
  now = 3;
  heard('b:1', { version: 1 });
  heard('c:1', { code: 'BUSY', message: 'too many' });
  requests.abortAll(new RaftError('NOT_RUNNING', 'over'));
  expect(traffic.metrics().sent).toEqual({ beats: { answered: 1, refused: 1, timedOut: 0, failed: 1 } });
  expect(traffic.linkTo('b:1', 5)).toMatchObject({ roundTripMs: 3, silentMs: 2 });
  expect(traffic.linkTo('d:1', 5).silentMs).toBeNull();
});
