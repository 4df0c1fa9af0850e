import type { RequestOptions, Transport } from 'raftbeat';
import { RaftError } from 'raftbeat';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/node/clock.js';
import { Requests } from '../../src/node/requests.js';

/** A transport that answers nothing, and keeps the options of its requests. */
function silent(): { transport: Transport; options: RequestOptions[] } {
  const options: RequestOptions[] = [];
  const transport: Transport = {
    start: async () => {},
    stop: async () => {},
    request: (_to, _request, given) => {
      options.push(given);
      return new Promise(() => {});
    },
  };
  return { transport, options };
}

const ignore = (): void => {};

test('a signal is aborted when its request is given up, whether it was asked for before or after', async () => {
  const { transport, options } = silent();
  const requests = new Requests(transport, systemClock, 1_000);
  const error = new RaftError('NOT_RUNNING', 'over');
  const asked = [requests.ask('b:1', { type: 'peer' }), requests.ask('c:1', { type: 'peer' })];
  const before = options[0]?.signal;
  expect(before?.aborted).toBe(false);
  requests.abortAll(error);
  await Promise.allSettled(asked);
  expect([before?.aborted, options[0]?.signal, options[1]?.signal.reason]).toEqual([true, before, error]);
});

test('the options of a request can be copied', () => {
  const { transport, options } = silent();
  const requests = new Requests(transport, systemClock, 1_000);
  const asked = requests.ask('b:1', { type: 'peer' });
  const copied = { ...options[0] };
  requests.abortAll(new RaftError('NOT_RUNNING', 'over'));
  expect(copied.signal?.aborted).toBe(true);
  return expect(asked).rejects.toMatchObject({ code: 'NOT_RUNNING' });
});

test('a request that fails in the transport names who was asked, and the cause', async () => {
  const cause = new Error('reset');
  const transport: Transport = { ...silent().transport, request: () => Promise.reject(cause) };
  const asked = new Requests(transport, systemClock, 1_000).ask('b:1', { type: 'peer' });
  await expect(asked).rejects.toMatchObject({ code: 'UNREACHABLE', ip: 'b:1', cause });
});

test('a request that is not answered in time names who was asked', async () => {
  const asked = new Requests(silent().transport, systemClock, 1).ask('b:1', { type: 'peer' });
  await expect(asked).rejects.toMatchObject({ code: 'TIMEOUT', ip: 'b:1' });
});

test('of a publication each peer answers once, or fails once', () => {
  let heard = (_from: string, _reply: unknown): void => {};
  let ring = (): void => {};
  const transport: Transport = {
    ...silent().transport,
    broadcast: (_to, _request, { answered }) => {
      heard = answered;
    },
  };
  const clock = {
    ...systemClock,
    setTimer: (run: () => void) => {
      ring = run;
      return () => {};
    },
  };
  const outcomes: string[] = [];
  new Requests(transport, clock, 1_000).publish(
    ['b:1', 'c:1'],
    { type: 'peer' },
    (from, reply) => void outcomes.push(`${from} ${reply}`),
    (to, { code }) => void outcomes.push(`${to} ${code}`),
  );
  for (const from of ['b:1', 'b:1', 'd:1']) heard(from, 'answers');
  ring();
  heard('c:1', 'answers');
  ring();
  expect(outcomes).toEqual(['b:1 answers', 'c:1 TIMEOUT']);
});

test('of a publication that all have answered nothing is left', () => {
  const { transport, options } = silent();
  const timers = new Set<() => void>();
  const clock = {
    ...systemClock,
    setTimer: (run: () => void) => {
      timers.add(run);
      return () => void timers.delete(run);
    },
  };
  const broadcast: Transport['broadcast'] = (to, _request, given) => {
    options.push(given);
    for (const ip of to) given.answered(ip, 'answers');
  };
  const requests = new Requests({ ...transport, broadcast }, clock, 1_000);
  requests.publish(['b:1', 'c:1'], { type: 'peer' }, ignore, ignore);
  expect(timers.size).toBe(0);
  requests.abortAll(new RaftError('NOT_RUNNING', 'over'));
  expect(options[0]?.signal.reason).toMatchObject({ message: 'all have answered' });
});

test('the signal of a publication is aborted when all have answered, and not before: what waits for them is let go of', () => {
  const { transport } = silent();
  const before: boolean[] = [];
  let signal: AbortSignal | undefined;
  const broadcast: Transport['broadcast'] = (to, _request, given) => {
    signal = given.signal;
    for (const ip of to) {
      before.push(signal.aborted);
      given.answered(ip, 'answers');
    }
  };
  const requests = new Requests({ ...transport, broadcast }, systemClock, 1_000);
  requests.publish(['b:1', 'c:1'], { type: 'peer' }, ignore, ignore);
  expect([before, signal?.aborted]).toEqual([[false, false], true]);
});

test('a publication that the transport throws at fails at once for each, with the cause', () => {
  const cause = new Error('not connected');
  const transport: Transport = {
    ...silent().transport,
    broadcast: () => {
      throw cause;
    },
  };
  const failures: [string, RaftError][] = [];
  const failed = (to: string, error: RaftError): void => void failures.push([to, error]);
  new Requests(transport, systemClock, 1_000).publish(['b:1', 'c:1'], { type: 'peer' }, ignore, failed);
  expect(failures).toMatchObject([
    ['b:1', { code: 'UNREACHABLE', cause }],
    ['c:1', { code: 'UNREACHABLE', cause }],
  ]);
});

test('an answer that comes after the request was given up is not taken', async () => {
  let reply = (_reply: unknown): void => {};
  const late = new Promise<unknown>((resolve) => {
    reply = resolve;
  });
  const requests = new Requests({ ...silent().transport, request: () => late }, systemClock, 1_000);
  const outcomes: unknown[] = [];
  const note = (outcome: unknown): void => void outcomes.push(outcome);
  requests.begin('b:1', { type: 'peer' }, note, note);
  const error = new RaftError('NOT_RUNNING', 'over');
  requests.abortAll(error);
  reply('too late');
  await late;
  await Promise.resolve();
  expect(outcomes).toEqual([error]);
});
