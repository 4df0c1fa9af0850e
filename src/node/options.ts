import { RaftError } from '../core/errors.js';
import { checkIp, type Member } from '../core/membership.js';
import { REGISTRY_LIMITS, type RegistryLimits } from '../core/registry.js';
import { RULES, type RulesName } from '../core/rules.js';
import { resolveTiming, type Timing } from '../core/timing.js';
import { MemoryStore } from '../stores/memory.js';
import type { NacosDatumStore } from '../stores/nacos-datums.js';
import type { RaftStore } from '../stores/store.js';
import type { Transport } from '../transports/transport.js';
import { type Clock, systemClock } from './clock.js';
import { MAX_KEY_LENGTH, MAX_VALUE_LENGTH } from './decode-data.js';
import { ownProcess } from './exit-signals.js';

/** Times that fit together, by name. */
export type PresetName = 'lan' | 'wan' | 'nacos';

/** Options of a `RaftNode`; the times of `Timing` may be given one by one, beside or without a preset. */
export interface RaftNodeOptions extends Partial<Timing> {
  /** The identity of this peer, `host:port`, or any other name that the transport knows. */
  readonly ip: string;
  /**
   * All members, this peer among them; the same on each of them. With a registry they only begin a new cluster, for the
   * registry holds them then; an empty list is for a peer that is to join one. @default this peer alone
   */
  readonly members?: readonly (string | Member)[];
  /** How peers reach each other. Needed for more than one member. */
  readonly transport?: Transport;
  /** Where this peer keeps what it must not forget. @default a new MemoryStore, which forgets it with the process */
  readonly store?: RaftStore;
  /**
   * Where this peer keeps the datums of the original, under the rules of Nacos; as durable as `store`, for a term without
   * its datums can erase those of all others. @default none, which forgets them with the process
   */
  readonly nacosDatums?: NacosDatumStore;
  /** `lan`: L = 500 ms. `wan`: L = 5 s. `nacos`: the original's times (L = 15 s) and rules. @default 'lan' */
  readonly preset?: PresetName;
  /** Whose rules hold (section 5). @default 'raftbeat', or 'nacos' with that preset */
  readonly rules?: RulesName;
  /** The operator's word that this is a new cluster: a majority of empty peers may begin. @default false */
  readonly bootstrap?: boolean;
  /** Whom a peer with an empty store waits for: enough others, or all. @default 'majority' */
  readonly rejoin?: 'majority' | 'strict';
  /**
   * Whether this peer keeps data, the same on all members: `true`, or the bounds that differ from the defaults.
   * @default false: it only elects
   */
  readonly registry?: boolean | Partial<RegistryLimits>;
  /** Whether the leader's beats bring no data along, as in the original; see `RaftNode.sendBeatOnly`. @default false */
  readonly sendBeatOnly?: boolean;
  /**
   * Whether a lost connection ends a promise at once (D17): a leader whose process is gone is replaced in a few round
   * trips. The price: whenever a majority loses its connections to a leader that is alive before that leader does, S2 rests
   * on fencing tokens for up to one lease. The same on all members; experimental. @default false
   */
  readonly releaseOnDisconnect?: boolean;
  /**
   * Whether a signal that ends the process stops this peer first, which hands over leadership: `true` for SIGTERM and SIGINT,
   * or the names of signals. If nobody else listens to the signal the process then ends by it, else whoever does sees to
   * that. @default false
   */
  readonly stopOnSignals?: boolean | readonly string[];
  /** Time and timers. @default the host's */
  readonly clock?: Clock;
  /** Draws from [0, 1). @default Math.random */
  readonly random?: () => number;
}

/** The options with all defaults in place. */
export interface ResolvedOptions {
  readonly ip: string;
  readonly members: readonly (string | Member)[];
  readonly transport: Transport;
  readonly store: RaftStore;
  readonly nacosDatums: NacosDatumStore | null;
  readonly rules: RulesName;
  readonly timing: Timing;
  readonly bootstrap: boolean;
  readonly rejoin: 'majority' | 'strict';
  readonly registry: RegistryLimits | undefined;
  readonly sendBeatOnly: boolean;
  readonly releaseOnDisconnect: boolean;
  readonly stopOnSignals: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
}

/** What differs from the defaults, which are those of a LAN. */
const PRESETS: Readonly<Record<PresetName, Partial<Timing>>> = {
  lan: {},
  wan: { leaderTimeoutMs: 5_000 },
  nacos: { leaderTimeoutMs: 15_000, heartbeatMs: 5_000, randomMs: 5_000 },
};

const TIMING_KEYS = [
  'heartbeatMs',
  'leaderTimeoutMs',
  'randomMs',
  'staggerMs',
  'requestTimeoutMs',
  'clockDrift',
] as const satisfies readonly (keyof Timing)[];

const KEYS: ReadonlySet<string> = new Set<keyof RaftNodeOptions>([
  ...TIMING_KEYS,
  'ip',
  'members',
  'transport',
  'store',
  'nacosDatums',
  'preset',
  'rules',
  'bootstrap',
  'rejoin',
  'registry',
  'sendBeatOnly',
  'releaseOnDisconnect',
  'stopOnSignals',
  'clock',
  'random',
]);

/**
 * Fills in the defaults and checks everything that can be checked before the start.
 *
 * @throws RaftError `BAD_OPTION` naming the option, what was expected and what came
 */
export function resolveOptions(options: RaftNodeOptions): ResolvedOptions {
  check('options', typeof options === 'object' && options !== null, 'an object', options);
  for (const key of Object.keys(options)) {
    if (!KEYS.has(key))
      throw new RaftError('BAD_OPTION', `there is no option ${key}; there are ${[...KEYS]}`);
  }
  checkIp('ip', options.ip);
  const { ip, preset = 'lan', bootstrap = false, rejoin = 'majority', nacosDatums = null } = options;
  const { clock = systemClock, random = Math.random, store = new MemoryStore() } = options;
  check('preset', Object.hasOwn(PRESETS, preset), `one of ${Object.keys(PRESETS)}`, preset);
  const { rules = preset === 'nacos' ? 'nacos' : 'raftbeat' } = options;
  check('rules', Object.hasOwn(RULES, rules), `one of ${Object.keys(RULES)}`, rules);
  check('bootstrap', typeof bootstrap === 'boolean', 'true or false', bootstrap);
  check('rejoin', rejoin === 'majority' || rejoin === 'strict', `'majority' or 'strict'`, rejoin);
  check('random', typeof random === 'function', 'a function', random);
  check('clock', hasMethods(clock, 'now', 'wallNow', 'setTimer', 'afterMail'), 'a Clock', clock);
  check('store', hasMethods(store, 'open', 'save', 'close'), 'a RaftStore', store);
  if (nacosDatums !== null) {
    const isStore = hasMethods(nacosDatums, 'open', 'write', 'remove', 'close');
    check('nacosDatums', isStore && rules === 'nacos', `a NacosDatumStore, with rules: 'nacos'`, nacosDatums);
  }
  const { sendBeatOnly = false, releaseOnDisconnect = false } = options;
  check('sendBeatOnly', typeof sendBeatOnly === 'boolean', 'true or false', sendBeatOnly);
  const mayRelease = releaseOnDisconnect === false || (releaseOnDisconnect === true && rules === 'raftbeat');
  check(
    'releaseOnDisconnect',
    mayRelease,
    `true or false, and false with rules: 'nacos'`,
    releaseOnDisconnect,
  );
  const registry = resolveRegistry(options.registry, rules, store);
  const members = resolveMembers(ip, options.members, registry !== undefined);
  const transport = resolveTransport(options.transport, members);
  const timing = resolveTiming({ ...PRESETS[preset], ...givenTiming(options) });
  return {
    ip,
    members,
    transport,
    store,
    nacosDatums,
    rules,
    timing,
    bootstrap,
    rejoin,
    registry,
    sendBeatOnly,
    releaseOnDisconnect,
    stopOnSignals: resolveSignals(options.stopOnSignals),
    clock,
    random,
  };
}

function resolveRegistry(
  given: RaftNodeOptions['registry'],
  rules: RulesName,
  store: RaftStore,
): RegistryLimits | undefined {
  if (given === undefined || given === false) return undefined;
  const isObject = typeof given === 'object' && given !== null;
  check('registry', given === true || isObject, 'true, false, or an object of bounds', given);
  check(
    'registry',
    rules === 'raftbeat',
    'left out under the rules of Nacos, which keep data their own way',
    given,
  );
  check(
    'store',
    hasMethods(store, 'fold'),
    'one that keeps data (with `fold`), for there is a registry',
    store,
  );
  const limits = { ...REGISTRY_LIMITS, ...(given === true ? {} : given) };
  for (const [name, value] of Object.entries(limits)) {
    check(
      `registry.${name}`,
      Object.hasOwn(REGISTRY_LIMITS, name),
      'left out: there is no such bound',
      value,
    );
    check(`registry.${name}`, Number.isSafeInteger(value) && value > 0, 'an integer above 0', value);
  }
  check(
    'registry.maxKeyLength',
    limits.maxKeyLength <= MAX_KEY_LENGTH,
    `at most ${MAX_KEY_LENGTH}`,
    limits.maxKeyLength,
  );
  check(
    'registry.maxValueLength',
    limits.maxValueLength <= MAX_VALUE_LENGTH,
    `at most ${MAX_VALUE_LENGTH}`,
    limits.maxValueLength,
  );
  return limits;
}

function resolveSignals(given: RaftNodeOptions['stopOnSignals'] = false): readonly string[] {
  const names = given === true ? ['SIGTERM', 'SIGINT'] : given === false ? [] : given;
  const isName = (name: unknown): boolean =>
    typeof name === 'string' && /^SIG(?!KILL$|STOP$)[A-Z\d]+$/.test(name);
  const areNames = Array.isArray(names) && names.every(isName);
  check('stopOnSignals', areNames, 'true, false, or names of signals that can be caught', given);
  const canListen = names.length === 0 || ownProcess() !== null;
  check('stopOnSignals', canListen, 'false where there is no process', given);
  return names;
}

/** One that joins knows no member but itself, and does not vote (section 4, members). */
function resolveMembers(
  ip: string,
  members: readonly (string | Member)[] = [ip],
  hasRegistry: boolean,
): readonly (string | Member)[] {
  check('members', Array.isArray(members), 'an array of ips', members);
  if (members.length === 0 && hasRegistry) return [{ ip, observer: true }];
  const isOwn = (member: string | Member): boolean =>
    (typeof member === 'string' ? member : member?.ip) === ip;
  check('members', members.some(isOwn), `a list that contains this peer, ${ip}`, members);
  const anyVoter = members.some((member) => typeof member === 'string' || member?.observer !== true);
  check('members', anyVoter, 'a list of at least one who votes', members);
  return members;
}

function resolveTransport(transport: Transport | undefined, members: readonly unknown[]): Transport {
  if (transport === undefined) {
    check('transport', members.length === 1, 'given: there are other members', transport);
    return NO_TRANSPORT;
  }
  check('transport', hasMethods(transport, 'start', 'request', 'stop'), 'a Transport', transport);
  return transport;
}

/** An option that is given as undefined counts as not given. */
function givenTiming(options: RaftNodeOptions): Partial<Timing> {
  return Object.fromEntries(
    TIMING_KEYS.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]])),
  );
}

/** A cluster of one has nobody to talk to. */
const NO_TRANSPORT: Transport = {
  start: async () => {},
  request: async (to) => {
    throw new RaftError('UNREACHABLE', `a cluster of one reaches nobody, not ${to}`, { ip: to });
  },
  stop: async () => {},
};

function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  const holder = value as Readonly<Record<string, unknown>> | null | undefined;
  return names.every((name) => typeof holder?.[name] === 'function');
}

function check(name: string, holds: boolean, expected: string, came: unknown): void {
  if (!holds) throw new RaftError('BAD_OPTION', `${name} must be ${expected}, not ${describe(came)}`);
}

function describe(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 200);
  } catch {
    return typeof value === 'object' ? 'an object' : String(value);
  }
}
