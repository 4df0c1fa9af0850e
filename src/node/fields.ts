import { RaftError, type RaftErrorCode } from '../core/errors.js';
import { GROUP_NAME, isGroupName } from '../core/group-name.js';
import { MAX_IP_LENGTH } from '../core/membership.js';
import type { NacosValue } from '../core/nacos-messages.js';
import type { PeerState } from '../core/peer.js';

const STATES: readonly PeerState[] = ['FOLLOWER', 'CANDIDATE', 'LEADER'];

/** How deep the value of a datum may be nested: to write it as a text takes the stack. */
const MAX_DEPTH = 100;

/**
 * Reads the fields of an object that came from outside: own fields only, each with its type and bounds. What is not
 * asked for is ignored.
 */
export class Fields {
  readonly #source: object;
  readonly #path: string;
  readonly #code: RaftErrorCode;

  constructor(source: unknown, path: string, code: RaftErrorCode) {
    if (typeof source !== 'object' || source === null || Array.isArray(source)) {
      throw new RaftError(code, `${path} must be an object, not ${shortText(source)}`);
    }
    this.#source = source;
    this.#path = path;
    this.#code = code;
  }

  /** Whether the field is there; null counts as absent, as in the original's JSON. */
  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  integer(name: string, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
    throw this.wrong(name, `an integer from 0 to ${max}`, value);
  }

  number(name: string, min: number, max: number): number {
    const value = this.#value(name);
    if (typeof value === 'number' && value >= min && value <= max) return value;
    throw this.wrong(name, `a number from ${min} to ${max}`, value);
  }

  boolean(name: string): boolean {
    const value = this.#value(name);
    if (typeof value === 'boolean') return value;
    throw this.wrong(name, 'true or false', value);
  }

  text(name: string, maxLength: number): string {
    const value = this.#value(name);
    if (typeof value === 'string' && value.length <= maxLength) return value;
    throw this.wrong(name, `a text of at most ${maxLength} characters`, value);
  }

  ip(name: string): string {
    const value = this.#value(name);
    if (typeof value === 'string' && value.length <= MAX_IP_LENGTH && /^[^\s\p{Cc}]+$/u.test(value))
      return value;
    throw this.wrong(
      name,
      `a text such as 'host:port' of 1 to ${MAX_IP_LENGTH} characters without blanks`,
      value,
    );
  }

  group(name: string): string {
    const value = this.#value(name);
    if (isGroupName(value)) return value;
    throw this.wrong(name, GROUP_NAME, value);
  }

  state(name: string): PeerState {
    const value = this.#value(name);
    if (isState(value)) return value;
    throw this.wrong(name, `one of ${STATES}`, value);
  }

  texts(name: string, maxItems: number, maxLength: number): readonly string[] {
    const value = this.#value(name);
    const isText = (item: unknown): item is string => typeof item === 'string' && item.length <= maxLength;
    // Not `every`: it would skip the holes of a sparse list.
    if (Array.isArray(value) && value.length <= maxItems && Array.from(value).every(isText)) return value;
    throw this.wrong(name, `a list of at most ${maxItems} texts of at most ${maxLength} characters`, value);
  }

  json(name: string): NacosValue {
    const value = this.#value(name);
    if (isJsonObject(value) && isJson(value, MAX_DEPTH)) return value;
    throw this.wrong(name, `a JSON object at most ${MAX_DEPTH} deep`, value);
  }

  object(name: string): Fields {
    return new Fields(this.#value(name), this.#at(name), this.#code);
  }

  list<T>(name: string, maxLength: number, read: (fields: Fields) => T): readonly T[] {
    const items = this.items(name, maxLength);
    if (items.length === 0) return [];
    // Not `map`: it would skip the holes of a sparse list.
    return Array.from(items, (item: unknown, at) =>
      read(new Fields(item, `${this.#at(name)}[${at}]`, this.#code)),
    );
  }

  /** The items of a list as they came. */
  items(name: string, maxLength: number): readonly unknown[] {
    const value = this.#value(name);
    if (Array.isArray(value) && value.length <= maxLength) return value;
    throw this.wrong(name, `a list of at most ${maxLength}`, value);
  }

  /** As `list`, with null for each item that cannot be read. */
  maybe<T>(name: string, maxLength: number, read: (fields: Fields) => T): readonly (T | null)[] {
    return Array.from(this.items(name, maxLength), (item: unknown) => {
      try {
        return read(new Fields(item, name, this.#code));
      } catch (error) {
        if (!(error instanceof RaftError)) throw error;
        return null;
      }
    });
  }

  #value(name: string): unknown {
    if (!Object.hasOwn(this.#source, name)) return undefined;
    return (this.#source as Record<string, unknown>)[name] ?? undefined;
  }

  #at(name: string): string {
    return `${this.#path}.${name}`;
  }

  /** The error for a field that is not as it must be. */
  wrong(name: string, expected: string, came: unknown): RaftError {
    return new RaftError(this.#code, `${this.#at(name)} must be ${expected}, not ${shortText(came)}`);
  }
}

function isState(value: unknown): value is PeerState {
  return (STATES as readonly unknown[]).includes(value);
}

/** A value as it stands in a message: short, whatever it is. */
export function shortText(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 50));
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}

function isJsonObject(value: unknown): value is NacosValue {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isJson(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (depth === 0 || !(isJsonObject(value) || Array.isArray(value))) return false;
  return Object.values(value).every((item) => isJson(item, depth - 1));
}
