import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RaftRequest } from 'raftbeat';
import { decodeRequest } from '../../src/node/decode.js';
import { type NacosIncoming, readRequest } from '../../src/transports/nacos-requests.js';

export const BASE = '/nacos/v1/ns/raft';

/** An exchange as recorded. */
export interface Recording {
  readonly name: string;
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly query: string | null;
  readonly queryDecoded?: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyBase64: string;
  readonly bodyDecoded: Readonly<Record<string, unknown>> | null;
  readonly beatDecoded?: unknown;
  readonly status: number;
  readonly responseHeaders: Readonly<Record<string, string | null>>;
  readonly responseBody: string;
  readonly responseDecoded?: unknown;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
/** All recordings in `folder`; none if there is no such folder. */
export function recordingsIn(folder: string): readonly Recording[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  return files.map((file) => ({
    name: file.replace(/\.json$/, ''),
    ...(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Omit<Recording, 'name'>),
  }));
}

/** The sample in this repository. */
export const SAMPLE = recordingsIn(join(root, 'test/fixtures/nacos-wire'));

/** The end of the path. */
export const endOf = ({ path }: Pick<Recording, 'path'>): string => path.slice(BASE.length + 1);

/** What came in. */
export function incomingOf({ query, bodyBase64, headers }: Recording): NacosIncoming {
  return {
    query: new URLSearchParams(query ?? ''),
    body: Buffer.from(bodyBase64, 'base64'),
    isForm: (headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded'),
    isForwarded: false,
    bodyLimitBytes: 1_000_000,
  };
}

/** The request that a recording is, checked. */
export async function requestOf(recording: Recording): Promise<RaftRequest> {
  return decodeRequest(await readRequest(recording.method, endOf(recording), incomingOf(recording)));
}

/** Decodes as `java.net.URLDecoder` does, which the original does to bodies that nobody encoded. */
export const urlDecode = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));
