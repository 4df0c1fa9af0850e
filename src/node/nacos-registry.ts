import type { RaftCore } from '../core/core.js';
import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import type { NacosDatums } from '../core/nacos-datums.js';
import type { NacosPublish, NacosRemove } from '../core/nacos-messages.js';
import type { NacosWrittenOutput } from '../core/outputs.js';
import type { Submit } from './controller.js';
import { decodeDoneReply, decodePublish } from './decode-nacos.js';

/** Asks a peer, with a deadline; see `Requests`. */
type Ask = (to: string, request: RaftRequest) => Promise<unknown>;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: RaftError) => void;
}

/** The datums of `core`. @throws RaftError `UNSUPPORTED` but under the rules of Nacos */
export function nacosDatums(core: RaftCore): NacosDatums {
  if (core.nacosDatums !== null) return core.nacosDatums;
  throw new RaftError('UNSUPPORTED', `this is for clusters with rules: 'nacos' only`);
}

/** Publishes and removes under the rules of Nacos: here while this peer leads, else at the leader. */
export class NacosRegistry {
  readonly #core: RaftCore;
  readonly #submit: Submit;
  readonly #ask: Ask;
  readonly #open = new Map<number, Waiter>();

  constructor(core: RaftCore, submit: Submit, ask: Ask) {
    this.#core = core;
    this.#submit = submit;
    this.#ask = ask;
  }

  /** What is kept here. @throws RaftError `UNSUPPORTED` but under the rules of Nacos */
  get datums(): NacosDatums {
    return nacosDatums(this.#core);
  }

  /**
   * Resolves when a majority has the value.
   *
   * @throws RaftError `BAD_REQUEST`, `NO_LEADER`, `NOT_LEADER` (forwarded to a peer that does not lead either), `TIMEOUT`
   * (no majority in time; the value stays), or why the leader could not be asked
   */
  async publish(given: NacosPublish): Promise<void> {
    const { key, value, forwarded = false } = decodePublish(given);
    const outcome = await this.#submit((core, now) => {
      const write = nacosDatums(core).publish(key, value, now);
      // In an object, as a promise by itself would be waited for before the output that ends it is carried out.
      return 'write' in write ? { written: this.#written(write.write) } : write;
    });
    if ('written' in outcome) return outcome.written;
    await this.#forward(outcome.forwardTo, { type: 'nacosPublish', key, value, forwarded: true }, forwarded);
  }

  /**
   * Resolves when the leader has removed `key`; the others hear of it.
   *
   * @throws RaftError `BAD_REQUEST`, `NO_LEADER`, `NOT_LEADER` (forwarded to a peer that does not lead either), or why the
   * leader could not be asked
   */
  async remove({ key, forwarded = false }: NacosRemove): Promise<void> {
    const forwardTo = await this.#submit((core, now) => nacosDatums(core).remove(key, now));
    if (forwardTo !== null)
      await this.#forward(forwardTo, { type: 'nacosRemove', key, forwarded: true }, forwarded);
  }

  /** A publish of this peer has ended. */
  ended({ write, error }: Pick<NacosWrittenOutput, 'write' | 'error'>): void {
    const waiter = this.#open.get(write);
    this.#open.delete(write);
    if (error === null) waiter?.resolve();
    else waiter?.reject(error);
  }

  /** Ends all that wait with `error`. */
  abortAll(error: RaftError): void {
    for (const write of [...this.#open.keys()]) this.ended({ write, error });
  }

  #written(write: number): Promise<void> {
    const written = new Promise<void>((resolve, reject) => this.#open.set(write, { resolve, reject }));
    // When the save before it fails, whoever asked hears of that, and nobody waits here.
    written.catch(() => {});
    return written;
  }

  async #forward(to: string, request: RaftRequest, wasForwarded: boolean): Promise<void> {
    if (wasForwarded) throw new RaftError('NOT_LEADER', `${to} leads, as far as is known here`);
    decodeDoneReply(await this.#ask(to, request));
  }
}
