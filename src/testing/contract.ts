/** One rule of a contract, for any test runner: `test(contractCase.name, contractCase.run)`. */
export interface ContractCase {
  /** The rule, as a sentence. */
  readonly name: string;
  /** Rejects with an Error that tells what was expected and what came, when the rule is broken. */
  readonly run: () => Promise<void>;
}

/**
 * Fails a contract case unless `condition` holds.
 *
 * @throws Error with `message`
 */
export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
