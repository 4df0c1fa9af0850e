/** The two kinds of keys that the original knows, in full and as they stand in a beat. */
const KINDS = [
  { full: 'com.alibaba.nacos.naming.domains.meta.', brief: 'meta.' },
  { full: 'com.alibaba.nacos.naming.iplist.', brief: 'iplist.' },
] as const;

const [SERVICE_META, INSTANCE_LIST] = KINDS;

/** Whether `key` is of a kind that the original knows, in full or brief. */
export function isKnownKey(key: string): boolean {
  return kindOf(key) !== undefined;
}

/** Whether `key` is that of a service's metadata: the removal of such a key, alone, goes by the term rule. */
export function isServiceMetaKey(key: string): boolean {
  return kindOf(key) === SERVICE_META;
}

/** Whether `key` is that of a list of instances. */
export function isInstanceListKey(key: string): boolean {
  return kindOf(key) === INSTANCE_LIST;
}

/** Whether a commit of `key` is to be stored: ephemeral lists of instances are not. */
export function isPersistentKey(key: string): boolean {
  return !key.startsWith(`${INSTANCE_LIST.full}ephemeral.`);
}

/** `key` as it stands in a beat. */
export function briefKey(key: string): string {
  const kind = kindOf(key);
  return kind === undefined || !key.startsWith(kind.full) ? key : kind.brief + key.slice(kind.full.length);
}

/**
 * The key that an entry of a beat means; null if it is of no known kind. As in the original, a key that is full already
 * is taken for a brief one.
 */
export function fullKey(key: string): string | null {
  const kind = kindOf(key);
  return kind === undefined ? null : kind.full.slice(0, -kind.brief.length) + key;
}

/** The key that is removed when `key` is to be: the original decodes it as a part of a URL; null if it is none. */
export function keyToRemove(key: string): string | null {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return null;
  }
}

function kindOf(key: string): (typeof KINDS)[number] | undefined {
  return KINDS.find(({ full, brief }) => key.startsWith(full) || key.startsWith(brief));
}
