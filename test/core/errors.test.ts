import { RaftError } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { assert, textOf } from '../../src/core/errors.js';
import { refusal } from './support.js';

describe('errors', () => {
  test('an error bears its name, its code, and what it is about', () => {
    const cause = new Error('why');
    const error = new RaftError('OUT_OF_DATE', 'too late', { term: 7, ip: 'a:1', cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'RaftError', code: 'OUT_OF_DATE', term: 7, ip: 'a:1', cause });
    expect(String(error)).toBe('RaftError: too late');
  });

  test('an error without a cause has none, not an undefined one', () => {
    expect(new RaftError('TIMEOUT', 'no answer')).not.toHaveProperty('cause');
    expect(new RaftError('TIMEOUT', 'no answer')).toMatchObject({ term: undefined, ip: undefined });
  });

  test('anything that is thrown has a text, also what can not be shown', () => {
    expect(textOf(new Error('oh'))).toBe('Error: oh');
    expect(textOf(undefined)).toBe('undefined');
    expect(textOf(Object.create(null))).toBe('something that cannot be shown');
  });

  test('an assertion that fails is a bug, and one that holds is nothing', () => {
    assert(true, 'one is one');
    expect(refusal(() => assert(false, 'one is two'))).toMatchObject({
      code: 'INTERNAL',
      message: 'assertion failed: one is two',
    });
  });
});
