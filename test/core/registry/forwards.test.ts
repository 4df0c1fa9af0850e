import { expect, test } from 'vitest';
import { Forwards } from '../../../src/core/forwards.js';
import type { AnswerOutput } from '../../../src/core/outputs.js';
import { told } from './support.js';

/** As many as are remembered. */
const MANY = 10_000;

/** The forwards of a peer that leads term 5, and what it answered: `id outcome`. */
function leader() {
  const answers: string[] = [];
  const forwards = new Forwards(({ id, result }) => answers.push(`${id} ${told(result)}`));
  forwards.begin(5);
  return { forwards, answers };
}

const forward = (number: number, process = 1, term = 5) => ({ process, number, term });

function done(id: number): AnswerOutput {
  return { type: 'answer', id, result: { timestamp: id, revision: { term: 5, seq: id } } };
}

/** Takes forwards in and answers them: number n with the id n. */
function serve(forwards: Forwards, from: number, to: number, process = 1): void {
  for (let number = from; number <= to; number++) {
    expect(forwards.isRepeated(number, forward(number, process))).toBe(false);
    forwards.note(number, forward(number, process));
    forwards.answered(done(number));
  }
}

test('an answer that is of no forward is passed on', () => {
  const { forwards, answers } = leader();
  forwards.answered(done(3));
  expect(answers).toEqual(['3 ok 3']);
});

test('each that asks for the same forward is answered once: those that came before its outcome with it', () => {
  const { forwards, answers } = leader();
  forwards.note(1, forward(7));
  expect(forwards.isRepeated(2, forward(7))).toBe(true);
  expect(answers).toEqual([]);
  forwards.answered(done(1));
  expect(forwards.isRepeated(3, forward(7))).toBe(true);
  expect(answers).toEqual(['1 ok 1', '2 ok 1', '3 ok 1']);
  forwards.answered(done(1));
  expect(answers.slice(3)).toEqual(['1 ok 1']);
});

test.each([
  { term: 1, outcome: 'may have come' },
  { term: 4, outcome: 'may have come' },
  { term: 5, outcome: 'is new' },
  { term: 6, outcome: 'may have come' },
])('one for term $term $outcome at a process that led term 5 last', ({ term, outcome }) => {
  const { forwards, answers } = leader();
  expect(forwards.isRepeated(1, forward(1, 1, term))).toBe(outcome === 'may have come');
  expect(answers).toEqual(outcome === 'may have come' ? ['1 OUTCOME_UNKNOWN'] : []);
});

test('at a process that never led any may have come, to another one of its ip', () => {
  const answers: string[] = [];
  const forwards = new Forwards(({ id, result }) => answers.push(`${id} ${told(result)}`));
  expect(forwards.isRepeated(1, forward(1, 1, 0))).toBe(true);
  expect(answers).toEqual(['1 OUTCOME_UNKNOWN']);
});

test('of what was answered in an earlier leadership nothing is remembered but that it may have come', () => {
  const { forwards, answers } = leader();
  serve(forwards, 1, 1);
  forwards.begin(6);
  expect(forwards.isRepeated(2, forward(1))).toBe(true);
  expect(forwards.isRepeated(3, forward(2))).toBe(true);
  expect(forwards.isRepeated(4, forward(1, 1, 6))).toBe(false);
  expect(answers).toEqual(['1 ok 1', '2 OUTCOME_UNKNOWN', '3 OUTCOME_UNKNOWN']);
});

test('an answer of an earlier leadership is no answer to a forward of this one', () => {
  const { forwards, answers } = leader();
  forwards.note(1, forward(1));
  forwards.isRepeated(2, forward(1));
  forwards.begin(6);
  forwards.answered(done(1));
  expect(answers).toEqual(['1 ok 1']);
});

test('the newest 10000 outcomes are remembered; of older ones, that they may have come', () => {
  const { forwards, answers } = leader();
  serve(forwards, 1, MANY);
  answers.length = 0;
  forwards.isRepeated(-1, forward(1));
  expect(answers).toEqual(['-1 ok 1']);
  serve(forwards, MANY + 1, MANY + 2);
  answers.length = 0;
  for (const number of [1, 2, 3]) forwards.isRepeated(-number, forward(number));
  expect(answers).toEqual(['-1 OUTCOME_UNKNOWN', '-2 OUTCOME_UNKNOWN', '-3 ok 3']);
});

test('what was forgotten of one process says nothing of another, nor of a later leadership', () => {
  const { forwards } = leader();
  serve(forwards, 1, MANY + 2);
  expect(forwards.isRepeated(-1, forward(1, 2))).toBe(false);
  forwards.begin(6);
  expect(forwards.isRepeated(-1, forward(1, 1, 6))).toBe(false);
});

test('the highest number that was forgotten counts, in whatever order they came', () => {
  const { forwards, answers } = leader();
  for (const number of [9, 4]) serve(forwards, number, number);
  serve(forwards, 10, MANY + 9);
  answers.length = 0;
  for (const number of [8, 9]) expect(forwards.isRepeated(-number, forward(number))).toBe(true);
  expect(answers).toEqual(['-8 OUTCOME_UNKNOWN', '-9 OUTCOME_UNKNOWN']);
});

test('one whose outcome is open is not forgotten, nor what came after it', () => {
  const { forwards, answers } = leader();
  forwards.note(1, forward(1));
  serve(forwards, 2, MANY + 5);
  answers.length = 0;
  expect(forwards.isRepeated(-1, forward(1))).toBe(true);
  expect(forwards.isRepeated(-2, forward(2))).toBe(true);
  expect(answers).toEqual(['-2 ok 2']);
  forwards.answered(done(1));
  expect(answers.slice(1)).toEqual(['1 ok 1', '-1 ok 1']);
});
