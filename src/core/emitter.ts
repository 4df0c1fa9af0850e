import { EventEmitter } from 'eventemitter3';
import { RaftError, textOf } from './errors.js';

/** An emitter that survives its listeners: each of them is called, and one that throws or rejects is reported. */
export class Emitter<Events extends { error: (error: RaftError) => void }> extends EventEmitter<Events> {
  /** Calls all listeners, `this` being the emitter; one that fails raises `error` with `LISTENER_FAILED`. */
  override emit<Name extends EventEmitter.EventNames<Events>>(
    name: Name,
    ...args: Parameters<EventEmitter.EventListener<Events, Name>>
  ): boolean {
    const listeners = this.listeners(name);
    for (const listener of listeners) {
      this.removeListener(name, listener, undefined, true);
      this.#call(name, listener as (...args: unknown[]) => unknown, args);
    }
    return listeners.length > 0;
  }

  #call(name: unknown, listener: (...args: unknown[]) => unknown, args: readonly unknown[]): void {
    const failed = (cause: unknown): void => this.#reportListener(name, cause);
    try {
      const result = listener.apply(this, [...args]);
      if (isThenable(result)) result.then(undefined, failed);
    } catch (cause) {
      failed(cause);
    }
  }

  /** A listener of `error` that fails has nobody left to tell. */
  #reportListener(name: unknown, cause: unknown): void {
    if (name === 'error') return;
    const error = new RaftError('LISTENER_FAILED', `a listener of ${String(name)} failed: ${textOf(cause)}`, {
      cause,
    });
    (this.emit as unknown as (name: 'error', error: RaftError) => boolean).call(this, 'error', error);
  }
}

function isThenable(
  value: unknown,
): value is { then(done: undefined, failed: (cause: unknown) => void): unknown } {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
