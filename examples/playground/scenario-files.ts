/** The text of each scenario of the tests, by its name: put in by the build. */
declare const SCENARIOS: Readonly<Record<string, string>>;

export const SCENARIO_NAMES: readonly string[] = Object.keys(SCENARIOS);

export function scenarioText(name: string): string | null {
  return Object.hasOwn(SCENARIOS, name) ? (SCENARIOS[name] ?? null) : null;
}
