import createDebug from 'debug';
import { Emitter } from '../core/emitter.js';
import { RaftError, textOf } from '../core/errors.js';
import { checkIp } from '../core/membership.js';
import { Waiters } from '../node/leadership.js';
import type { WaitOptions } from '../node/leading.js';
import type { Find, FoundPeer } from './find.js';

const debug = createDebug('raftbeat:discovery');

/** The options of a {@link Discovery}. */
export interface DiscoveryOptions {
  /** Where to look: {@link byAddress}, {@link bySrv}, {@link byFile}, or a function of your own. */
  readonly find: Find;
  /**
   * How often it is looked again, in ms: an integer from 10.
   *
   * @default 5_000
   */
  readonly refreshMs?: number;
}

/** Event names of a {@link Discovery}. */
export interface DiscoveryEvents {
  /** Other peers were found than before, or elsewhere. */
  found: (peers: readonly FoundPeer[]) => void;
  /** A look failed: what was found before still holds. */
  error: (error: RaftError) => void;
}

/**
 * Looks again and again for the peers of a cluster: who they are, and where they are reached. What is found once holds until
 * something else is found: a look that fails, or finds nobody, changes nothing.
 */
export class Discovery extends Emitter<DiscoveryEvents> {
  readonly #find: Find;
  readonly #refreshMs: number;
  readonly #looked = new Waiters<readonly FoundPeer[]>();
  #peers: readonly FoundPeer[] = [];
  #addresses: ReadonlyMap<string, string> = new Map();
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  /** Looks at once. @throws RaftError `BAD_OPTION` */
  constructor({ find, refreshMs = 5_000 }: DiscoveryOptions) {
    super();
    if (typeof find !== 'function') throw new RaftError('BAD_OPTION', 'find: expected a function');
    if (!Number.isSafeInteger(refreshMs) || refreshMs < 10)
      throw new RaftError('BAD_OPTION', `refreshMs: expected an integer from 10, got ${String(refreshMs)}`);
    this.#find = find;
    this.#refreshMs = refreshMs;
    void this.#look();
  }

  /** The peers that were found last, ordered by their identities. */
  get peers(): readonly FoundPeer[] {
    return this.#peers;
  }

  /**
   * Where `ip` was found last; an empty text, which is no address, while it was not. For the option `address` of a transport;
   * bound, so that it can be passed on.
   */
  readonly address = (ip: string): string => this.#addresses.get(ip) ?? '';

  /**
   * Resolves with the identities of all peers as soon as there are exactly `count`: for the option `members` of a new cluster,
   * which must be the same everywhere. Any other number would let peers begin with lists that differ.
   *
   * @throws RaftError `ABORTED` by the signal, `NOT_RUNNING` when it is closed meanwhile
   */
  async members(count: number, { signal }: WaitOptions = {}): Promise<readonly string[]> {
    let peers = this.#peers;
    while (peers.length !== count) peers = await this.nextLook({ signal });
    return peers.map(({ ip }) => ip);
  }

  /**
   * Resolves with what holds after the next look, whether or not something changed.
   *
   * @throws RaftError `ABORTED` by the signal, `NOT_RUNNING` when it is, or was, closed
   */
  async nextLook({
    signal,
  }: {
    readonly signal?: AbortSignal | undefined;
  } = {}): Promise<readonly FoundPeer[]> {
    if (this.#isClosed) throw closed();
    return this.#looked.next(signal);
  }

  /** Looks no more; until then it keeps the process running. Safe to call again. */
  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#looked.rejectAll(closed());
  }

  /** Closes it at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #look(): Promise<void> {
    try {
      this.#found((await this.#find()).map(check));
    } catch (cause) {
      debug('%s', textOf(cause));
      this.emit('error', new RaftError('UNREACHABLE', `no peers were found: ${textOf(cause)}`, { cause }));
    }
    if (this.#isClosed) return;
    this.#looked.resolveAll(this.#peers);
    this.#timer = setTimeout(() => void this.#look(), this.#refreshMs);
  }

  #found(peers: readonly FoundPeer[]): void {
    const addresses = new Map(peers.map(({ ip, address }) => [ip, address]));
    if (addresses.size < peers.length)
      throw new RaftError('DUPLICATE_PEER', 'two peers have the same identity');
    if (this.#isClosed || peers.length === 0 || isSame(addresses, this.#addresses)) return;
    this.#addresses = addresses;
    this.#peers = peers.toSorted((a, b) => (a.ip < b.ip ? -1 : 1));
    this.emit('found', this.#peers);
  }
}

function check(found: string | FoundPeer): FoundPeer {
  const { ip, address, observer = false } = typeof found === 'string' ? { ip: found, address: found } : found;
  return { ip: checkIp('ip', ip), address: checkIp('address', address), observer };
}

function isSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([ip, address]) => b.get(ip) === address);
}

function closed(): RaftError {
  return new RaftError('NOT_RUNNING', 'this discovery was closed');
}
