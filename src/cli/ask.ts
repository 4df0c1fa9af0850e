import { RaftError } from '../core/errors.js';
import { REFUSALS, replyFields } from '../node/refusal.js';
import { HttpClient } from '../transports/http-client.js';
import { HttpExchange, type HttpExchangeOptions } from '../transports/http-exchange.js';
import { settingsOf } from '../transports/http-served.js';
import type { Address } from './address.js';
import type { Asking } from './options.js';
import { readView, type View } from './view.js';

/** What an order may be answered with, besides refusals: a leader tells why the peer that it ordered did not obey. */
const FAILURES: ReadonlySet<string> = new Set([
  ...REFUSALS,
  'TIMEOUT',
  'UNREACHABLE',
  'BAD_REPLY',
  'ABORTED',
]);

/** Asks a peer how it is. @throws RaftError that says why there is no answer */
export async function askState(address: Address, asking: Asking): Promise<View> {
  const exchange = new HttpExchange(reaching(address, asking));
  const request = { method: 'GET', path: `${address.path}/state`, headers: {}, body: Buffer.alloc(0) };
  try {
    const { status, body } = await inTime(address, asking, (signal) =>
      exchange.send(address.url, request, signal),
    );
    return readView(parse(status, body));
  } finally {
    exchange.close();
  }
}

/** An order to the peer `ip` to hand over. */
export interface ResignOrder {
  readonly ip: string;
  readonly to: string | undefined;
  readonly secret: string | undefined;
}

/** Gives it; resolves with the peer that takes over. @throws RaftError that says why there is none */
export async function askToResign(
  address: Address,
  asking: Asking,
  { ip, to, secret }: ResignOrder,
): Promise<string> {
  const { auth } = settingsOf(secret === undefined ? {} : { secret });
  const client = new HttpClient({ ...reaching(address, asking), path: address.path, auth });
  const request = to === undefined ? { type: 'resign' as const } : { type: 'resign' as const, to };
  try {
    const reply = await inTime(address, asking, (signal) => client.request(ip, request, signal));
    return replyFields(reply, FAILURES).ip('successor');
  } finally {
    client.close();
  }
}

function reaching({ endpoint, isTls }: Address, { tls }: Asking): HttpExchangeOptions {
  const { bodyLimitBytes } = settingsOf({});
  return { address: () => endpoint, bodyLimitBytes, tls: isTls ? tls : null };
}

async function inTime<T>(
  { url }: Address,
  { timeoutMs }: Asking,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await ask(signal);
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new RaftError('TIMEOUT', `${url} did not answer within ${timeoutMs} ms`, { cause });
  }
}

function parse(status: number, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new RaftError('BAD_REPLY', `what answers there is not raftbeat: status ${status}`, { cause });
  }
}
