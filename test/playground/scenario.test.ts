import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ScenarioShow } from '../../examples/playground/scenario.js';

const CASES = new URL('../scenarios/cases/', import.meta.url);
const names = readdirSync(CASES);

function textOf(name: string): string {
  return readFileSync(new URL(name, CASES), 'utf8');
}

describe('a scenario', () => {
  test.each(names)('%s can be stepped through, and happens as it is written', async (name) => {
    const show = new ScenarioShow(textOf(name));
    while (!show.isAtEnd) {
      await show.step();
      expect(show.picture.peers.length).toBeGreaterThan(0);
    }
    const answers = show.outcomes.map(({ isAsWritten }) => isAsWritten).filter((answer) => answer !== null);
    expect(answers.length).toBeGreaterThan(0);
    expect(answers).not.toContain(false);
    expect(show.outcomes.map(({ error }) => error).filter((error) => error !== null)).toEqual([]);
  });

  test('that does not happen as it is written says so', async () => {
    const show = new ScenarioShow('# A lie.\npeers a b c\nelect\n----\nb leads at once\n');
    await show.step();
    await show.step();
    expect(show.outcomes.map(({ isAsWritten }) => isAsWritten)).toEqual([null, null, false]);
  });

  test('ends at a line that cannot be understood', async () => {
    const show = new ScenarioShow('peers a b c\ndance a\nelect\n');
    await show.step();
    await show.step();
    expect(show.outcomes[1]?.error).toBe('no such command: dance a');
    expect(show.isAtEnd).toBe(true);
    await show.step();
    expect(show.outcomes).toHaveLength(2);
  });

  test('shows who leads, with its lease, who is stopped or down, what is under way, and what is cut', async () => {
    const lines = ['peers a b c priority a=2', 'elect a', 'hold b->a', 'cut a->c', 'run 150', 'kill c'];
    const show = new ScenarioShow(`${lines.join('\n')}\n`);
    for (const _ of lines) await show.step();
    const { picture } = show;
    expect(picture.peers.map(({ ip, mode, isLeader }) => [ip, mode, isLeader])).toEqual([
      ['a', 'leads', true],
      ['b', 'follower', false],
      ['c', 'down', false],
    ]);
    expect(picture.peers[0]?.leaseLeftMs).toBeGreaterThan(0);
    expect(picture.messages.map(({ from, to, kind }) => [from, to, kind])).toContainEqual(['b', 'a', 'yes']);
    expect([picture.hasFault('cut', 'a', 'c'), picture.hasFault('cut', 'c', 'a')]).toEqual([true, false]);
  });

  test('goes a command back, and to any other', async () => {
    const show = new ScenarioShow('peers a b c\n# A note.\nelect\nkill a\n');
    for (let commands = 0; commands < 3; commands++) await show.step();
    expect(show.isAtEnd).toBe(true);
    await show.back();
    expect(show.outcomes).toHaveLength(3);
    expect(show.picture.peers.filter(({ mode }) => mode === 'down')).toEqual([]);
    await show.goTo(1);
    expect(show.picture.peers.filter(({ isLeader }) => isLeader)).toEqual([]);
    await show.restart();
    expect(show.picture.peers).toEqual([]);
  });
});
