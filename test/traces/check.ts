import type { CoreBuild } from './core-build.js';
import type { Scenario, Step } from './format.js';
import { type Expectation, expect } from './original.js';
import { looksSame, type Outcome, recordedOutcome, same, show } from './outcome.js';
import { replay } from './replay.js';
import { ALL_RULES, type Rule } from './rules.js';
import { filePending, firstWorld, loadState, type World } from './world.js';

/** What is to be said of one step. */
export type Verdict =
  | { readonly kind: 'identical'; readonly saves: boolean }
  | { readonly kind: 'explained'; readonly saves: boolean; readonly by: readonly Rule[] }
  | { readonly kind: 'unexplained'; readonly why: string };

/** What is to be said of a file. */
export interface Report {
  steps: number;
  identical: number;
  explained: number;
  unexplained: number;
  /** How many of the steps that are identical or explained saved something first (D4). */
  saves: number;
  readonly byRule: Map<Rule, number>;
  /** What is unexplained, with where it is. */
  readonly complaints: string[];
}

/** The model of what is expected: the original's, with the rules that it is given. */
export type Model = typeof expect;

/** Replays all steps of `scenarios`, each from the recorded state before it. */
export function check(build: CoreBuild, scenarios: readonly Scenario[], model: Model = expect): Report {
  const report: Report = {
    steps: 0,
    identical: 0,
    explained: 0,
    unexplained: 0,
    saves: 0,
    byRule: new Map(),
    complaints: [],
  };
  for (const scenario of scenarios) {
    const world = firstWorld(scenario);
    for (const [at, step] of scenario.steps.entries()) {
      const verdict = checkStep(build, world, step, model);
      count(report, verdict, `${scenario.id} (${scenario.version}) step ${at} ${step.op}`);
    }
  }
  return report;
}

/** Takes `world` one step further, as recorded. */
export function checkStep(build: CoreBuild, world: World, step: Step, model: Model = expect): Verdict {
  const recorded = recordedOutcome(step);
  const ours = attempt(() => replay(build, world, step));
  const expected = attempt(() => model(structuredClone(world), step, ALL_RULES));
  const verdict = judge(ours, expected, recorded, (rule) => without(rule, world, step, model));
  const theirs = attempt(() => model(world, step, NO_RULES));
  if (typeof theirs !== 'string') {
    filePending(world, step, theirs);
    if (same(theirs.outcome, recorded) && isSameIdentity(world, step)) return verdict;
  }
  Object.assign(world, loadState(step.after));
  return unexplained('the original itself does otherwise', theirs, recorded);
}

function judge(
  ours: Outcome | string,
  expected: Expectation | string,
  recorded: Outcome,
  lacking: (rule: Rule) => Expectation | string,
): Verdict {
  if (typeof expected === 'string') return unexplained('nothing can be expected', expected, recorded);
  const { outcome, used } = expected;
  if (typeof ours === 'string' || !same(ours, outcome)) {
    const isRecorded = typeof ours !== 'string' && looksSame(ours, recorded);
    const why = isRecorded ? 'as recorded, but not as expected' : 'not as recorded, nor as expected';
    return unexplained(`${why} (rules: ${[...used]})`, ours, outcome);
  }
  const saves = ours.saved.length > 0;
  if (looksSame(ours, recorded)) return { kind: 'identical', saves };
  // A rule explains a step if without it something else were expected.
  const by = [...used].filter((rule) => {
    const other = lacking(rule);
    return typeof other === 'string' || !looksSame(outcome, other.outcome);
  });
  return { kind: 'explained', saves, by: by.length > 0 ? by : [...used] };
}

const NO_RULES: ReadonlySet<Rule> = new Set();

/** What is expected without `rule`. */
function without(rule: Rule, world: World, step: Step, model: Model): Expectation | string {
  const others = new Set([...ALL_RULES].filter((other) => other !== rule));
  return attempt(() => model(structuredClone(world), step, others));
}

function isSameIdentity({ leader, peers }: World, { after }: Step): boolean {
  return leader === null || (peers.get(leader.ip) === leader) === after.leaderIsMapEntry;
}

function unexplained(why: string, came: Expectation | Outcome | string, expected: Outcome): Verdict {
  const outcome = typeof came === 'string' ? came : show('outcome' in came ? came.outcome : came);
  return { kind: 'unexplained', why: `${why}\n  came     ${outcome}\n  expected ${show(expected)}` };
}

/** The text of the error, if there is one. */
function attempt<T extends object>(act: () => T): T | string {
  try {
    return act();
  } catch (error) {
    return String(error);
  }
}

function count(report: Report, verdict: Verdict, where: string): void {
  report.steps++;
  report[verdict.kind]++;
  if (verdict.kind === 'explained') {
    for (const rule of verdict.by) report.byRule.set(rule, (report.byRule.get(rule) ?? 0) + 1);
  }
  if (verdict.kind === 'unexplained') report.complaints.push(`${where}: ${verdict.why}`);
  else if (verdict.saves) report.saves++;
}
