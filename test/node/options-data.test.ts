import { MemoryNetwork, type RaftError, RaftNode, type RaftNodeOptions } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { REGISTRY_LIMITS, type RegistryLimits } from '../../src/core/registry.js';
import { MAX_KEY_LENGTH, MAX_VALUE_LENGTH } from '../../src/node/decode-data.js';
import { resolveOptions } from '../../src/node/options.js';

const IP = 'a:1';

/** What a node says of options that it does not take; they need not be of the right type. */
function refusal(options: unknown): RaftError {
  try {
    new RaftNode(options as RaftNodeOptions);
  } catch (error) {
    expect(error).toMatchObject({ code: 'BAD_OPTION' });
    return error as RaftError;
  }
  throw new Error('these options were taken');
}

describe('the registry', () => {
  const BOUNDS = Object.keys(REGISTRY_LIMITS) as (keyof RegistryLimits)[];

  test('is left out unless it is asked for', () => {
    for (const registry of [undefined, false])
      expect(resolveOptions({ ip: IP, registry: registry as false }).registry).toBeUndefined();
    expect(resolveOptions({ ip: IP, registry: true }).registry).toEqual(REGISTRY_LIMITS);
  });

  test.each(BOUNDS)('takes %s, and the other bounds by default', (name) => {
    expect(resolveOptions({ ip: IP, registry: { [name]: 1 } }).registry).toEqual({
      ...REGISTRY_LIMITS,
      [name]: 1,
    });
    for (const wrong of [0, -1, 1.5, '1', null, 2 ** 53])
      expect(refusal({ ip: IP, registry: { [name]: wrong } }).message).toMatch(
        new RegExp(`^registry\\.${name} must be`),
      );
  });

  test('has no key and no value that is longer than messages bear', () => {
    for (const [name, most] of [
      ['maxKeyLength', MAX_KEY_LENGTH],
      ['maxValueLength', MAX_VALUE_LENGTH],
    ] as const) {
      expect(resolveOptions({ ip: IP, registry: { [name]: most } }).registry).toMatchObject({ [name]: most });
      expect(refusal({ ip: IP, registry: { [name]: most + 1 } }).message).toMatch(
        new RegExp(`^registry\\.${name}`),
      );
    }
  });

  test('has no other bounds', () => {
    expect(refusal({ ip: IP, registry: { maxKeys: 1 } }).message).toMatch(/^registry\.maxKeys/);
  });

  test.each([null, 1, 'true', () => {}])('must be true, false or bounds, not %s', (registry) => {
    expect(refusal({ ip: IP, registry }).message).toMatch(/^registry must be/);
  });

  test('is not for the rules of Nacos, nor for a store that keeps no data', () => {
    expect(refusal({ ip: IP, registry: true, rules: 'nacos' }).message).toMatch(/^registry must be/);
    const store = { open: () => {}, save: () => {}, close: () => {} };
    expect(refusal({ ip: IP, registry: true, store }).message).toMatch(/^store must be/);
  });

  test('lets a peer join that knows no member but itself, as an observer', () => {
    const transport = new MemoryNetwork().transport();
    const { members } = resolveOptions({ ip: IP, members: [], registry: true, transport });
    expect(members).toEqual([{ ip: IP, observer: true }]);
    expect(refusal({ ip: IP, members: [], transport }).message).toMatch(/^members must be/);
  });
});

test.each([null, 0, 'true', {}])(
  'releaseOnDisconnect must be true or false, not %s',
  (releaseOnDisconnect) => {
    expect(refusal({ ip: IP, releaseOnDisconnect }).message).toMatch(/^releaseOnDisconnect must be/);
  },
);

test('releaseOnDisconnect is not for the rules of Nacos, which know no promise', () => {
  const options = { ip: IP, rules: 'nacos', releaseOnDisconnect: true };
  expect(refusal(options).message).toMatch(/^releaseOnDisconnect must be/);
  expect(resolveOptions({ ip: IP, rules: 'nacos', releaseOnDisconnect: false }).rules).toBe('nacos');
});

test.each([null, 0, 'true', {}])('sendBeatOnly must be true or false, not %s', (sendBeatOnly) => {
  expect(refusal({ ip: IP, sendBeatOnly }).message).toMatch(/^sendBeatOnly must be/);
});

describe('nacosDatums', () => {
  const METHODS = ['open', 'write', 'remove', 'close'];
  const half = (missing?: string) =>
    Object.fromEntries(METHODS.filter((name) => name !== missing).map((name) => [name, () => {}]));

  test('must have all of its methods', () => {
    const nacosDatums = half() as never;
    expect(resolveOptions({ ip: IP, rules: 'nacos', nacosDatums }).nacosDatums).toBe(nacosDatums);
    expect(resolveOptions({ ip: IP, rules: 'nacos' }).nacosDatums).toBeNull();
    for (const name of METHODS)
      expect(refusal({ ip: IP, rules: 'nacos', nacosDatums: half(name) }).message).toMatch(
        /^nacosDatums must be/,
      );
  });

  test('is for the rules of Nacos alone', () => {
    expect(refusal({ ip: IP, nacosDatums: half() }).message).toMatch(/^nacosDatums must be/);
  });
});

test.each([
  ['lan', 500],
  [undefined, 500],
] as const)('the preset %s has a leader timeout of %i ms', (preset, leaderTimeoutMs) => {
  expect(resolveOptions({ ip: IP, ...(preset === undefined ? {} : { preset }) }).timing).toMatchObject({
    leaderTimeoutMs,
  });
});
