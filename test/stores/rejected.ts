import type { ContractCase } from 'raftbeat/testing';
import { expect } from 'vitest';

/** The names of the cases that reject the store that they are about. */
export async function rejectedBy(cases: readonly ContractCase[]): Promise<readonly string[]> {
  const names: string[] = [];
  for (const { name, run } of cases) {
    await run().catch((error: unknown) => {
      expect(error).toBeInstanceOf(Error);
      names.push(name);
    });
  }
  return names;
}
