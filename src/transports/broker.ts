import { RaftError } from '../core/errors.js';
import type { BusMessage } from './bus.js';

/** How long a start waits for the broker, in ms. */
const PATIENCE_MS = 5_000;

/** Whom a message is for if that is one peer alone; what is for more goes by what all listen to. */
export function soleOf({ to }: BusMessage): string | null {
  return to?.length === 1 ? (to[0] ?? null) : null;
}

/** The name as UTF-8 carries it. */
export function wellFormed(ip: string): string {
  return Buffer.from(ip).toString();
}

/** What a text says, or null: others may publish there, too. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Subscribes, and waits until the broker has confirmed that; else it is undone.
 *
 * @throws RaftError `UNREACHABLE` when it refuses, or says nothing for 5 s
 */
export async function subscribed(
  subscribe: () => Promise<unknown>,
  undo: () => Promise<void>,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`silent for ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    await Promise.race([subscribe(), late]);
  } catch (cause) {
    await undo();
    throw new RaftError('UNREACHABLE', 'the broker does not confirm the subscription', { cause });
  } finally {
    clearTimeout(timer);
  }
}
