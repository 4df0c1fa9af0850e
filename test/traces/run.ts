import { check, type Report } from './check.js';
import { buildCore } from './core-build.js';
import { readScenarios } from './format.js';
import { RULES, type Rule } from './rules.js';

/** How many unexplained steps are shown. */
const SHOWN = 10;

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: npm run traces -- FILE...   (gzip'd recordings of the original)");
  process.exit(2);
}
const report = check(await buildCore(), files.flatMap(readScenarios));
print(report);
process.exitCode = report.unexplained === 0 && report.steps > 0 ? 0 : 1;

function print({ steps, identical, explained, unexplained, saves, byRule, complaints }: Report): void {
  for (const complaint of complaints.slice(0, SHOWN)) console.log(complaint);
  if (complaints.length > SHOWN) console.log(`... and ${complaints.length - SHOWN} more`);
  for (const [rule, text] of Object.entries(RULES)) {
    console.log(`${rule.padEnd(8)}${String(byRule.get(rule as Rule) ?? 0).padStart(6)}  ${text}`);
  }
  console.log(
    `${saves} steps saved their term and vote before anything left (D4); the original saves neither`,
  );
  console.log(`${steps} steps, ${identical} identical, ${explained} explained, ${unexplained} unexplained`);
}
