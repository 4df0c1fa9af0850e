import type { Datum } from '../../node/listeners.js';
import type { Published, WriteOptions } from '../../node/registry-client.js';
import { checkLinearizable, type Linearizability } from '../linearizable.js';
import type { RegistryOperation } from '../registry-model.js';
import type { Ledger } from './ledger.js';
import { SimRandom } from './random.js';
import type { NodeProcess, Place, World } from './world.js';

/** What clients do. */
export interface ClientOptions {
  readonly clients: number;
  readonly keys: number;
  /** The longest time in ms between an answer and the next call. */
  readonly thinkMs: number;
  /** Up to how many characters a value is made longer. */
  readonly padding: number;
  /** How many calls a client makes at once, now and then. */
  readonly burst: number;
}

/** An operation whose answer comes later. */
interface Recorded {
  readonly type: RegistryOperation['type'];
  output: unknown;
  return: number | null;
}

/** After so many ms a client no longer waits for an answer, and counts one that comes all the same. */
const PATIENCE_MS = 3_000;

/** After so many ms a write that failed is tried again, when it must succeed. */
const PROBE_EVERY_MS = 100;

/** What a call may fail by. */
const EXPECTED: ReadonlySet<string> = new Set([
  'BUSY',
  'CONFLICT',
  'NOT_LEADER',
  'NOT_RUNNING',
  'NO_LEADER',
  'OUTCOME_UNKNOWN',
  'REJOINING',
  'TIMEOUT',
  'TOO_LARGE',
  'UNKNOWN_PEER',
  'UNREACHABLE',
]);

/** How many places the search of one key may visit. */
const BUDGET = 100_000;

/**
 * Users of the registry, in the processes of the peers: each calls one of them, waits for the answer, and calls again.
 * What they were told is a history that must be linearizable.
 */
export class Clients {
  readonly history: RegistryOperation[] = [];
  /** How many calls were answered, by what: `ok`, or the code of the error. */
  readonly outcomes: Map<string, number> = new Map<string, number>();
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #random: SimRandom;
  readonly #options: ClientOptions;
  /** What each client knows of each key: the timestamp to put into conditions. */
  readonly #stamps = new Map<string, number>();
  #time = 0;
  #values = 0;
  #isOpen = false;

  constructor(world: World, ledger: Ledger, seed: number, options: ClientOptions) {
    this.#world = world;
    this.#ledger = ledger;
    this.#random = new SimRandom(seed, 'clients');
    this.#options = options;
  }

  /** All clients begin to call. */
  open(): void {
    this.#isOpen = true;
    for (let client = 0; client < this.#options.clients; client++) this.#later(client);
  }

  /** Nobody calls any more. */
  close(): void {
    this.#isOpen = false;
  }

  /** Publishes at `place`, until it succeeds: then `done` is called. */
  probe(place: Place, done: () => void): void {
    const again = (): void => this.#world.scheduler.after(PROBE_EVERY_MS, () => this.probe(place, done));
    const { process } = place;
    if (process === null || process.node === null) return;
    void process.host.post(() => {
      const value = `v${++this.#values}`;
      const probing = this.#publish(process, -1, `probe of ${place.ip}`, value, {});
      void probing.then((isOk) => (isOk ? done() : again()));
    });
  }

  /** Whether all answers can be explained. */
  check(): Linearizability {
    return checkLinearizable(this.history, { budget: BUDGET });
  }

  #later(client: number): void {
    const { thinkMs, burst } = this.#options;
    this.#world.scheduler.after(this.#random.skewed(thinkMs / 50, thinkMs), () => {
      if (!this.#isOpen) return undefined;
      const calls = this.#random.chance(0.03) ? burst : 1;
      return this.#call(client, calls);
    });
  }

  #call(client: number, calls: number): Promise<void> | undefined {
    const { process } = this.#pick();
    if (process === null || process.node === null) {
      this.#later(client);
      return undefined;
    }
    let isWaiting = true;
    const goOn = (): void => {
      if (isWaiting) this.#later(client);
      isWaiting = false;
    };
    this.#world.scheduler.after(PATIENCE_MS, goOn);
    return process.host.post(() => {
      for (let call = 1; call < calls; call++) void this.#do(process, client);
      void this.#do(process, client).then(goOn);
    });
  }

  #pick(): Place {
    const { places, leaderPlace } = this.#world;
    const any = places[this.#random.below(places.length)] as Place;
    return this.#random.chance(0.3) ? (leaderPlace ?? any) : any;
  }

  #do(process: NodeProcess, client: number): Promise<unknown> {
    const key = `k${this.#random.below(this.#options.keys)}`;
    const luck = this.#random.next();
    const condition = this.#condition(client, key);
    if (luck < 0.3) return this.#publish(process, client, key, this.#newValue(), {});
    if (luck < 0.5) return this.#publish(process, client, key, this.#newValue(), condition);
    if (luck < 0.62) return this.#remove(process, client, key, luck < 0.56 ? {} : condition);
    if (luck < 0.92) return this.#read(process, client, key);
    return this.#look(process, client, key);
  }

  #newValue(): string {
    this.#values++;
    return `v${this.#values}${'.'.repeat(this.#random.below(this.#options.padding + 1))}`;
  }

  #condition(client: number, key: string): WriteOptions {
    const known = this.#stamps.get(`${client} ${key}`) ?? 0;
    const luck = this.#random.next();
    if (luck < 0.8) return { ifTimestamp: known };
    return { ifTimestamp: luck < 0.9 ? 0 : Math.max(0, known - 1) };
  }

  #publish(
    { node, ip, host }: NodeProcess,
    client: number,
    key: string,
    value: string,
    options: WriteOptions,
  ): Promise<boolean> {
    const op = this.#begin({ type: 'publish', client, key, value, ...options });
    return this.#end(host, op, node.publish(key, value, options), {
      done: ({ timestamp, revision }: Published) => {
        this.#stamps.set(`${client} ${key}`, timestamp);
        this.#ledger.acknowledged(ip, key, value, timestamp, revision);
        return timestamp;
      },
      failed: (code) => this.#ledger.failed(ip, value, code),
    });
  }

  #remove({ node, host }: NodeProcess, client: number, key: string, options: WriteOptions): Promise<boolean> {
    const op = this.#begin({ type: 'remove', client, key, ...options });
    return this.#end(host, op, node.remove(key, options), {
      done: (isRemoved: boolean) => {
        this.#stamps.set(`${client} ${key}`, 0);
        return isRemoved;
      },
      failed: () => {},
    });
  }

  #read({ node, host, ip }: NodeProcess, client: number, key: string): Promise<boolean> {
    const op = this.#begin({ type: 'read', client, key });
    return this.#end(host, op, node.readDatum(key), {
      done: (datum: Datum | null) => {
        this.#stamps.set(`${client} ${key}`, datum?.timestamp ?? 0);
        if (datum === null) return null;
        this.#ledger.shown(ip, datum);
        return { value: String(datum.value), timestamp: datum.timestamp };
      },
      failed: () => {},
    });
  }

  /** May lag, and so is not in the history; what it shows must have been committed. */
  async #look({ node, ip }: NodeProcess, client: number, key: string): Promise<void> {
    const datum = node.getDatum(key);
    this.#stamps.set(`${client} ${key}`, datum?.timestamp ?? 0);
    if (datum !== null) this.#ledger.shown(ip, datum);
  }

  #begin(
    call: Pick<RegistryOperation, 'type' | 'client' | 'key'> & { value?: string } & WriteOptions,
  ): Recorded {
    const op = { ...call, call: ++this.#time, return: null, output: undefined };
    this.history.push(op as RegistryOperation);
    return op;
  }

  /** What a process that has ended would have been told counts for nothing. */
  async #end<T>(
    host: { readonly isAlive: boolean },
    op: Recorded,
    outcome: Promise<T>,
    told: { readonly done: (result: T) => unknown; readonly failed: (code: string) => void },
  ): Promise<boolean> {
    try {
      const result = await outcome;
      if (!host.isAlive) return false;
      this.#count('ok');
      op.output = told.done(result);
      op.return = ++this.#time;
      return true;
    } catch (error) {
      if (!host.isAlive) return false;
      const { code = String(error) } = error as { code?: string };
      this.#count(code);
      if (!EXPECTED.has(code)) this.#world.report('ERROR', '', `a ${op.type} fails: ${String(error)}`);
      if (code === 'OUTCOME_UNKNOWN') return false;
      told.failed(code);
      op.output = code === 'CONFLICT' ? 'CONFLICT' : 'FAILED';
      op.return = ++this.#time;
      return false;
    }
  }

  #count(outcome: string): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }
}
