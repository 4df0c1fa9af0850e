import type { SrvRecord } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { RaftError } from '../core/errors.js';

/** A peer that was found. */
export interface FoundPeer {
  /** Its identity, which stays the same wherever it runs. */
  readonly ip: string;
  /** Where it is reached now, as `host:port` or `[v6]:port`. */
  readonly address: string;
  /** Whether it is to observe only: then `follow` does not have it vote. @default false */
  readonly observer?: boolean;
}

/** Finds the peers that there are; a text is both the identity and the address. */
export type Find = () => Promise<readonly (string | FoundPeer)[]>;

/** As much of a `Resolver` of `node:dns/promises` as is needed. */
export interface DnsResolver {
  resolve4(name: string): Promise<readonly string[]>;
  resolve6(name: string): Promise<readonly string[]>;
  resolveSrv(name: string): Promise<readonly SrvRecord[]>;
}

/** The options of what asks the DNS. */
export interface DnsOptions {
  /**
   * Whom to ask.
   *
   * @default a resolver of its own, with the servers of the system
   */
  readonly resolver?: DnsResolver;
}

/**
 * Finds a peer at each address of `name` (`A` and `AAAA` records), at `port`. The address is the identity, too: for machines
 * that keep theirs. Where addresses change, as those of pods do, use {@link bySrv}.
 */
export function byAddress(name: string, port: number, { resolver = new Resolver() }: DnsOptions = {}): Find {
  return async () => {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const [four, six] = answers.map((it) => (it.status === 'fulfilled' ? it.value : []));
    const failed = answers.find(({ status }) => status === 'rejected');
    const found = [
      ...(four ?? []).map((at) => `${at}:${port}`),
      ...(six ?? []).map((at) => `[${at}]:${port}`),
    ];
    if (found.length === 0 && failed?.status === 'rejected') throw failed.reason;
    return found;
  };
}

/**
 * Finds a peer for each `SRV` record of `name`: its identity is the first label of the target, its address the target, which
 * is itself looked up at each connection. So are the pods of a Kubernetes StatefulSet found by the headless service:
 * `_raft._tcp.billing.default.svc.cluster.local` gives `billing-0`, `billing-1`, ...
 */
export function bySrv(name: string, { resolver = new Resolver() }: DnsOptions = {}): Find {
  return async () => {
    const records = await resolver.resolveSrv(name);
    return records.map(({ name: target, port }) => {
      const [label = target] = target.split('.', 1);
      return { ip: label, address: `${target}:${port}` };
    });
  };
}

/** Finds the peers that a file lists, as JSON: `["a:7001", { "ip": "b", "address": "10.0.0.2:7001" }]`. */
export function byFile(path: string): Find {
  return async () => {
    const list: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (!Array.isArray(list)) throw new RaftError('BAD_OPTION', `${path}: expected a list of peers`);
    return list;
  };
}
