import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Deadlines, type Due } from '../../src/host/deadlines.js';
import { SEED } from '../node/messages.js';

type Step =
  | { readonly does: 'set'; readonly item: number; readonly due: number }
  | { readonly does: 'delete'; readonly item: number }
  | { readonly does: 'take'; readonly now: number };

const ITEMS = 30;
const due = fc.oneof(fc.nat(20), fc.constant(Number.NEGATIVE_INFINITY));
const item = fc.nat(ITEMS - 1);
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ does: fc.constant('set' as const), item, due }) },
    fc.record({ does: fc.constant('delete' as const), item }),
    fc.record({ does: fc.constant('take' as const), now: fc.nat(20) }),
  ),
  { maxLength: 400, size: 'max' },
);

function fresh(): Due {
  return { due: Number.POSITIVE_INFINITY, place: -1 };
}

describe('deadlines', () => {
  test('are as a list that is sorted at each question, whatever is set, moved, deleted and taken', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const deadlines = new Deadlines<Due>();
        const items = Array.from({ length: ITEMS }, fresh);
        const known = new Map<Due, number>();
        const first = (): number => Math.min(Number.POSITIVE_INFINITY, ...known.values());
        for (const step of all) {
          if (step.does === 'set') {
            deadlines.set(items[step.item]!, step.due);
            known.set(items[step.item]!, step.due);
          } else if (step.does === 'delete') {
            deadlines.delete(items[step.item]!);
            known.delete(items[step.item]!);
          } else {
            const due = first();
            const taken = deadlines.take(step.now);
            expect(taken === null).toBe(due > step.now);
            if (taken === null) continue;
            expect(known.get(taken)).toBe(due);
            known.delete(taken);
          }
          expect(deadlines.first).toBe(first());
          expect(items.filter(({ place }) => place >= 0).length).toBe(known.size);
        }
      }),
      { seed: SEED },
    );
  });

  test('give what is due in its order', () => {
    const deadlines = new Deadlines<Due>();
    for (const due of [5, 1, 4, 2, 3, 6, 0]) deadlines.set(fresh(), due);
    const taken: number[] = [];
    for (let next = deadlines.take(5); next !== null; next = deadlines.take(5)) taken.push(next.due);
    expect(taken).toEqual([0, 1, 2, 3, 4, 5]);
    expect(deadlines.first).toBe(6);
  });
});
