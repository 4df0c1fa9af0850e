import { parseArgs } from 'node:util';
import type { Defect } from './defect.js';
import { find } from './find.js';
import { DEFECTS } from './list.js';
import { search } from './search.js';

const USAGE = `Plants each known defect into the code, and lets what is said to find it look for it.

  --only TEXT      only defects whose name holds TEXT
  --by FINDER      only by the simulator, the model or a scenario
  --search [--seeds 5000] [--minutes 5] [--registry]   look for the first seed of each instead, no longer than that,
                   with a registry also where no seed is known`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const { values } = parseArgs({
  options: { only: text, by: text, search: flag, seeds: text, minutes: text, registry: flag, help: flag },
});
const chosen = DEFECTS.map((defect) => ({
  ...defect,
  foundBy: defect.foundBy.filter(({ by }) => by === (values.by ?? by)),
})).filter(({ name, foundBy }) => name.includes(values.only ?? '') && foundBy.length > 0);

if (values.help) console.log(USAGE);
else if (values.search) await searchAll();
else await runAll();

async function searchAll(): Promise<void> {
  const maxSeeds = Number(values.seeds ?? 5_000);
  const maxMs = Number(values.minutes ?? 5) * 60_000;
  const preset = values.registry ? { registry: true } : {};
  for (const defect of chosen)
    console.log(`${defect.name} | ${await search(defect, { maxSeeds, maxMs, preset })}`);
}

async function runAll(): Promise<void> {
  const began = performance.now();
  const missed: string[] = [];
  for (const defect of chosen) if (!(await isFound(defect))) missed.push(defect.name);
  const alarms = await falseAlarms();
  const seconds = ((performance.now() - began) / 1_000).toFixed(0);
  const counts = (['simulator', 'model', 'scenario'] as const).map((by) => {
    return `${chosen.filter(({ foundBy }) => foundBy.some((finder) => finder.by === by)).length} by the ${by}`;
  });
  if (missed.length > 0) console.log(`NOT FOUND: ${missed.join('; ')}`);
  const found = chosen.length - missed.length;
  console.log(
    `${chosen.length} defects, ${found} found (${counts.join(', ')}), ${alarms} false alarms, ${seconds} s`,
  );
  if (missed.length > 0 || alarms > 0) process.exitCode = 1;
}

/** All that is said to find it must do so. */
async function isFound({ name, patches, foundBy }: Defect): Promise<boolean> {
  console.log(name);
  let isFound = true;
  for (const finder of foundBy) {
    const { where, what } = await find(finder, patches);
    console.log(`    ${where}: ${what ?? 'NOT FOUND'}`);
    if (what === null) isFound = false;
  }
  return isFound;
}

/** In the true build the same runs and scenarios see nothing; that the model sees nothing is what `npm run model` shows. */
async function falseAlarms(): Promise<number> {
  const finders = chosen.flatMap(({ foundBy }) => foundBy).filter(({ by }) => by !== 'model');
  const different = new Map(finders.map((finder) => [JSON.stringify(finder), finder]));
  let alarms = 0;
  for (const finder of different.values()) {
    const { where, what } = await find(finder, []);
    if (what === null) continue;
    alarms++;
    console.log(`FALSE ALARM: ${where}: ${what}`);
  }
  return alarms;
}
