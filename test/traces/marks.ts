import type { NacosDatum, NacosValue } from 'raftbeat';
import { briefKey, isInstanceListKey } from '../../src/core/nacos-keys.js';

/** A datum as compared. */
export interface Marked {
  readonly key: string;
  readonly timestamp: number;
  /** What the recordings write for a value, `I:<ips>` or `S:<token>`; null for none. */
  readonly value: string | null;
}

/** A value by its mark. */
export function markOf(key: string, value: NacosValue | string | null | undefined): string | null {
  if (value === null || value === undefined || typeof value === 'string') return value ?? null;
  if (!isInstanceListKey(key)) return `S:${value['token']}`;
  const instances = (value['instanceList'] ?? []) as readonly { readonly ip: string }[];
  return `I:${instances.map(({ ip }) => ip)}`;
}

/** A datum by its mark. */
export function marked({
  key,
  timestamp,
  value,
}: Omit<NacosDatum, 'value'> & { readonly value?: NacosValue | string | null }): Marked {
  return { key, timestamp, value: markOf(key, value) };
}

/** Datums by key: their order is that of a hash map. */
export function byKey<T extends { readonly key: string }>(datums: readonly T[]): readonly T[] {
  return datums.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

/** What a beat names, as compared. */
export const named = ({ key, timestamp }: { readonly key: string; readonly timestamp: number }) => ({
  key: briefKey(key),
  timestamp,
});
