import { describe, expect, test } from 'vitest';
import {
  briefKey,
  fullKey,
  isInstanceListKey,
  isKnownKey,
  isPersistentKey,
  isServiceMetaKey,
  keyToRemove,
} from '../../src/core/nacos-keys.js';

const META = 'com.alibaba.nacos.naming.domains.meta.';
const LIST = 'com.alibaba.nacos.naming.iplist.';

describe('a key of the original', () => {
  test.each([
    { key: `${META}a`, kind: 'meta', brief: 'meta.a' },
    { key: 'meta.a', kind: 'meta', brief: 'meta.a' },
    { key: `${LIST}a`, kind: 'list', brief: 'iplist.a' },
    { key: 'iplist.a', kind: 'list', brief: 'iplist.a' },
    { key: 'other.a', kind: 'none', brief: 'other.a' },
    { key: `x${META}a`, kind: 'none', brief: `x${META}a` },
  ])('$key is of the kind $kind, and stands in a beat as $brief', ({ key, kind, brief }) => {
    expect(isKnownKey(key)).toBe(kind !== 'none');
    expect(isServiceMetaKey(key)).toBe(kind === 'meta');
    expect(isInstanceListKey(key)).toBe(kind === 'list');
    expect(briefKey(key)).toBe(brief);
  });

  test('that a beat names is completed; one of no known kind means nothing', () => {
    expect(['meta.a', 'iplist.a'].map(fullKey)).toEqual([`${META}a`, `${LIST}a`]);
    expect([fullKey('other.a'), fullKey('')]).toEqual([null, null]);
  });

  test('is stored, but for ephemeral lists of instances', () => {
    const keys = [
      `${LIST}ephemeral.a`,
      `${LIST}a`,
      `${META}ephemeral.a`,
      `x${LIST}ephemeral.a`,
      `${LIST}ephemeral`,
    ];
    expect(keys.map(isPersistentKey)).toEqual([false, true, true, true, true]);
  });

  test('that is to be removed is decoded as a part of a URL', () => {
    expect(['a+b', 'a%2Bb%40%40c', 'a', '%'].map(keyToRemove)).toEqual(['a b', 'a+b@@c', 'a', null]);
  });
});
