import { parseArgs } from 'node:util';
import type { Bounds } from './bounds.js';
import { buildKernel } from './build.js';
import { CASES, type Case, electionCase } from './cases.js';
import type { Outcome } from './search.js';

const USAGE = `The model checker: every state that three peers of the real core can reach, within bounds.

  --case NAME      only this case, or those whose names begin so (NAME*); may be repeated
  --list           tell the cases
  --verbose        tell each depth
  --voters N --observers N --timeout L --longer N --terms N --crashes N --wipes N --transfers N --slow-clocks N --stands N
  --late-saves --keep-dead --depth N --states N      bounds of a case of your own, without data`;

const NUMBERS = {
  voters: 'voters',
  observers: 'observers',
  timeout: 'timeout',
  longer: 'longer',
  terms: 'terms',
  crashes: 'crashes',
  wipes: 'wipes',
  transfers: 'transfers',
  'slow-clocks': 'slowClocks',
  stands: 'stands',
  depth: 'depth',
  states: 'states',
} as const;

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const { values } = parseArgs({
  options: {
    case: { type: 'string', multiple: true },
    list: flag,
    verbose: flag,
    help: flag,
    'late-saves': flag,
    'keep-dead': flag,
    voters: text,
    observers: text,
    timeout: text,
    longer: text,
    terms: text,
    crashes: text,
    wipes: text,
    transfers: text,
    'slow-clocks': text,
    stands: text,
    depth: text,
    states: text,
  },
});

const progress = values.verbose ? (line: string): void => console.log(`  ${line}`) : undefined;

if (values.help) console.log(USAGE);
else if (values.list) for (const { name, bounds } of CASES) console.log(`${name}: ${JSON.stringify(bounds)}`);
else process.exitCode = await runCases(chosenCases());

function chosenCases(): readonly Case[] {
  const own = ownBounds();
  if (own !== null) return [electionCase('own', own)];
  if (values.case === undefined) return CASES;
  const isWanted = (name: string): boolean =>
    values.case?.some((wanted) =>
      wanted.endsWith('*') ? name.startsWith(wanted.slice(0, -1)) : name === wanted,
    ) === true;
  const chosen = CASES.filter(({ name }) => isWanted(name));
  if (chosen.length === 0) throw new Error(`no such case: ${values.case}`);
  return chosen;
}

function ownBounds(): Partial<Bounds> | null {
  const numbers = Object.entries(NUMBERS).flatMap(([option, name]) => {
    const value = values[option as keyof typeof NUMBERS];
    return value === undefined ? [] : [[name, wholeNumber(option, value)] as const];
  });
  if (numbers.length === 0 && !values['late-saves'] && !values['keep-dead']) return null;
  const given = Object.fromEntries(numbers) as Partial<Bounds>;
  return { ...given, lateSaves: values['late-saves'], keepDead: values['keep-dead'] };
}

function wholeNumber(option: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0)
    throw new Error(`--${option} must be a whole number, not ${value}`);
  return number;
}

async function runCases(cases: readonly Case[]): Promise<number> {
  const kernel = await buildKernel();
  let violations = 0;
  let states = 0;
  let exhausted = 0;
  for (const { name, run } of cases) {
    const outcome = run(kernel, progress);
    states += outcome.states;
    if (outcome.violation !== null) violations++;
    if (outcome.isExhausted) exhausted++;
    console.log(`${name}: ${figures(outcome)}`);
    if (outcome.violation !== null) tell(outcome);
  }
  console.log(
    `model: ${cases.length} cases, ${exhausted} exhausted, ${states} states, ${violations} violations, at most ${peakGiB()} GiB`,
  );
  return violations === 0 ? 0 : 1;
}

/** How much memory the process took. */
function peakGiB(): string {
  return (process.resourceUsage().maxRSS / 2 ** 20).toFixed(1);
}

function figures({ states, depth, ms, isExhausted, violation }: Outcome): string {
  const seconds = (ms / 1000).toFixed(1);
  const end = isExhausted ? 'exhausted' : 'not exhausted';
  return `${states} states, depth ${depth}, ${seconds} s, ${violation ?? `${end}, no violation`}`;
}

function tell({ violation, trace }: Outcome): void {
  for (const line of trace) console.log(`    ${line}`);
  console.log(`    ${violation}`);
}
