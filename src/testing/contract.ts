/** What a test runner may pass to a test, as those of Node and vitest do: how to report that it was skipped. */
export interface CaseRunner {
  readonly skip?: (reason: string) => unknown;
}

/** One rule of a contract, for any test runner: `test(contractCase.name, contractCase.run)`. */
export interface ContractCase {
  /** The rule, as a sentence. */
  readonly name: string;
  /**
   * Rejects with an Error that tells what was expected and what came, when the rule is broken. When the rule does not
   * hold for what is tested, it says why to `runner.skip`, and does no more.
   */
  readonly run: (runner?: CaseRunner) => Promise<void>;
}

/**
 * Fails a contract case unless `condition` holds.
 *
 * @throws Error with `message`
 */
export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
