import { RaftError, type RaftErrorCode, textOf } from '../core/errors.js';
import type { MemberChange } from '../core/members.js';
import type { ForwardedWrite, RaftRequest, WriteReply } from '../core/messages.js';
import { decodeWriteReply, decodeWritesReply } from './decode-data.js';
import type { Driver } from './driver.js';

/** How many requests with writes may be under way: one is on its way back while the next is on its way there. */
const MAX_OPEN = 2;
/** How many writes may wait for their turn. */
const MAX_WAITING = 10_000;
/** About how many characters go into one request; a single longer write goes all the same. */
const MAX_CHARACTERS = 65_536;

/** What a refusal of a leader says for certain: nothing was written. A forward that this peer's own stop ends may have left. */
const DEFINITE: ReadonlySet<RaftErrorCode> = new Set<RaftErrorCode>([
  'BAD_REQUEST',
  'BAD_TARGET',
  'BUSY',
  'CONFLICT',
  'NOT_LEADER',
  'NO_LEADER',
  'TOO_LARGE',
  'UNAUTHORIZED',
  'UNSUPPORTED',
]);

/** Whom to forward to. */
export interface Leader {
  readonly ip: string;
  readonly term: number;
}

/** A write of this process. */
export type OwnWrite = Omit<ForwardedWrite, 'number'>;

interface Waiting {
  readonly write: OwnWrite;
  readonly resolve: (reply: WriteReply) => void;
  readonly reject: (error: unknown) => void;
}

/** What a forwarder needs to know. */
export interface ForwarderOptions {
  readonly driver: Driver;
  /** Who leads; null: this peer itself. @throws RaftError `NO_LEADER` */
  readonly leader: () => Leader | null;
  /** How long to wait for an answer. */
  readonly deadlineMs: number;
  /** Tells this process apart from all others that forward. */
  readonly process: number;
}

/**
 * Forwards writes to the leader (section 4, writes). Those that are made while two requests are under way go together in
 * the next one. Whoever leads when the turn of a write has come gets it, once.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #waiting: Waiting[] = [];
  #open = 0;
  #number = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** @throws RaftError: what the leader refuses, `BUSY`, `NO_LEADER`, `NOT_RUNNING`; `OUTCOME_UNKNOWN` */
  write(write: OwnWrite): Promise<WriteReply> {
    if (this.#waiting.length >= MAX_WAITING)
      return Promise.reject(new RaftError('BUSY', 'too many writes wait to be forwarded'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject });
      // Others may follow at once: those whom one answer has told of their former writes.
      if (this.#waiting.length === 1) queueMicrotask(() => this.#sendOn());
    });
  }

  /** Has `leader` change the members, in a request of its own. @throws RaftError as `write` */
  async changeMembers(change: MemberChange, { ip, term }: Leader): Promise<void> {
    const { driver, deadlineMs, process } = this.#options;
    const request = { type: 'member', process, number: ++this.#number, term, change } as const;
    await askOnce(driver, ip, request, deadlineMs, decodeWriteReply);
  }

  #sendOn(): void {
    while (this.#open < MAX_OPEN && this.#waiting.length > 0) void this.#send(this.#take());
  }

  /** As many as go into one request. */
  #take(): readonly Waiting[] {
    let size = 0;
    const isOver = ({ write: { key, value } }: Waiting): boolean => {
      size += key.length + (value?.length ?? 0);
      return size > MAX_CHARACTERS;
    };
    const end = this.#waiting.findIndex((waiting, at) => isOver(waiting) && at > 0);
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  async #send(taken: readonly Waiting[]): Promise<void> {
    this.#open++;
    try {
      const outcomes = await this.#outcomes(taken.map(({ write }) => write));
      for (const [at, { resolve, reject }] of taken.entries()) {
        const outcome = outcomes[at];
        if (outcome === undefined || outcome instanceof RaftError) reject(outcome);
        else resolve(outcome);
      }
    } catch (error) {
      for (const { reject } of taken) reject(error);
    }
    this.#open--;
    this.#sendOn();
  }

  async #outcomes(writes: readonly OwnWrite[]): Promise<readonly (WriteReply | RaftError)[]> {
    const { driver, deadlineMs, process } = this.#options;
    if (!driver.isRunning) throw new RaftError('NOT_RUNNING', 'this node is not running');
    const leader = this.#options.leader();
    if (leader === null) return Promise.all(driver.write(writes).map(asOutcome));
    const { ip, term } = leader;
    const numbered = writes.map((write) => ({ number: ++this.#number, ...write }));
    const request = { type: 'writes', process, term, writes: numbered } as const;
    const outcomes = await askOnce(driver, ip, request, deadlineMs, (raw) =>
      decodeWritesReply(raw, writes.length),
    );
    return outcomes.map((outcome) => (outcome instanceof RaftError ? certain(ip, outcome) : outcome));
  }
}

/**
 * Asks the leader to write something, once: what may have arrived is never sent again.
 *
 * @throws RaftError that says for certain that nothing was written, or `OUTCOME_UNKNOWN`
 */
async function askOnce<T>(
  driver: Driver,
  to: string,
  request: RaftRequest,
  deadlineMs: number,
  decode: (raw: unknown) => T,
): Promise<T> {
  const reply = await driver.ask(to, request, deadlineMs).catch((cause: RaftError) => {
    // What the leader refuses comes as a reply; of the failures on the way, this one alone says that nothing left.
    throw cause.code === 'TOO_LARGE' ? cause : openOutcome(to, cause);
  });
  try {
    return decode(reply);
  } catch (cause) {
    throw certain(to, cause);
  }
}

function certain(to: string, cause: unknown): RaftError {
  return cause instanceof RaftError && DEFINITE.has(cause.code) ? cause : openOutcome(to, cause);
}

function openOutcome(to: string, cause: unknown): RaftError {
  const message = `${to} did not tell what became of the write, which may be committed: ${textOf(cause)}`;
  return new RaftError('OUTCOME_UNKNOWN', message, { ip: to, cause });
}

function asOutcome(outcome: Promise<WriteReply>): Promise<WriteReply | RaftError> {
  return outcome.catch((error: RaftError) => error);
}
