import { styleText } from 'node:util';
import type { Member } from './processes.js';

/** Where the demo is seen. */
export interface Screen {
  /** Adds a line to the story. */
  say(line: string): void;
  /** Shows how the members are. */
  show(members: readonly Member[]): void;
}

/** A table that is redrawn below the story in a terminal; otherwise plain lines. */
export function openScreen(): Screen {
  return process.stdout.isTTY ? new TableScreen() : new LineScreen();
}

/** A member's row: ip, pid, state, term, leader, jobs. */
type Row = readonly [string, string, string, string, string, string];

const HEAD: Row = ['ip', 'pid', 'state', 'term', 'leader', 'jobs done as leader'];
const WIDTHS = [15, 7, 9, 4, 15, 22];
const REDRAW_MS = 80;

class TableScreen implements Screen {
  #table: readonly string[] = [];
  #rowsDrawn = 0;
  #drawnAt = 0;

  say(line: string): void {
    this.#draw(`${stamped(line)}\n`);
  }

  show(members: readonly Member[]): void {
    this.#table = [
      '',
      styleText('dim', lineOf(HEAD)),
      ...members.map((it) => colored(it, lineOf(rowOf(it)))),
      '',
    ];
    if (performance.now() - this.#drawnAt >= REDRAW_MS) this.#draw();
  }

  /** Draws the table anew, below what is to stay. */
  #draw(above = ''): void {
    const erased = this.#rowsDrawn === 0 ? '' : `\x1b[${this.#rowsDrawn}A\x1b[J`;
    process.stdout.write(`${erased}${above}${this.#table.map((line) => `${line}\n`).join('')}`);
    this.#rowsDrawn = this.#table.length;
    this.#drawnAt = performance.now();
  }
}

class LineScreen implements Screen {
  readonly #shown = new Map<string, string>();

  say(line: string): void {
    console.log(stamped(line));
  }

  show(members: readonly Member[]): void {
    for (const member of members.filter(({ pid, isKilled }) => pid !== null || isKilled)) {
      const [ip, pid, state, term, leader] = rowOf(member);
      const line = `  ${ip}  pid ${pid}  ${state}  term ${term}  leader ${leader}`;
      if (this.#shown.get(ip) !== line) this.say(line);
      this.#shown.set(ip, line);
    }
  }
}

function rowOf(member: Member): Row {
  const { ip, pid, report } = member;
  const known = [ip, `${pid ?? '-'}`, stateOf(member)] as const;
  if (report === null) return [...known, '-', '-', '-'];
  const { term, leader, jobs, fencingToken } = report;
  const work = jobs === 0 ? '-' : `${jobs}, fencing token ${fencingToken}`;
  return [...known, `${term}`, leader ?? '-', work];
}

function stateOf({ pid, report, isKilled, isStopped }: Member): string {
  if (isKilled) return 'killed';
  if (isStopped) return 'stopped';
  return report?.state ?? (pid === null ? '-' : 'starts');
}

function colored({ isKilled, isStopped, leadsSince }: Member, line: string): string {
  if (isKilled || isStopped) return styleText('red', line);
  return leadsSince === null ? line : styleText('green', line);
}

function lineOf(row: Row): string {
  const line = `  ${row.map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0)).join(' ')}`;
  // A line that wraps would take two rows, and the table would not be erased as a whole.
  return line.slice(0, process.stdout.columns);
}

function stamped(line: string): string {
  return `${(performance.now() / 1000).toFixed(2).padStart(6)} s  ${line}`;
}
