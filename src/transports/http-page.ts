import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RaftError } from '../core/errors.js';
import { errorReply } from '../node/controller.js';
import type { Answer } from './http-answers.js';
import { isSame } from './http-auth.js';
import type { Receive } from './transport.js';

/** How often those who look at the page are told the news, in ms. */
const NEWS_MS = 500;
/** How many may look at it at a time. */
const MAX_VIEWERS = 32;
/** One who takes in less than this many bytes in time is let go of. */
const MAX_WAITING_BYTES = 262_144;

const FILE = '../observe/status-page.html';

/** What the page is made of, and what it asks for. */
export const PAGE_METHODS: Readonly<Record<string, readonly string[]>> = {
  ui: ['GET', 'HEAD'],
  events: ['GET'],
};

/** The status page: a file without anything from outside, and the events that it lives on. */
export class StatusPage {
  readonly #receive: Receive;
  readonly #token: string | null;
  readonly #viewers = new Set<ServerResponse>();
  #html: Promise<Buffer> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isAsking = false;

  /** @param token what one must know to see it; null: nothing */
  constructor(receive: Receive, token: string | null) {
    this.#receive = receive;
    this.#token = token;
  }

  /** Answers a request for `ui` or `events`. @throws RaftError `UNAUTHORIZED`, `BUSY` */
  async serve(answer: Answer, type: string): Promise<void> {
    this.#authorize(answer);
    if (type === 'events') this.#addViewer(answer);
    else await this.#sendPage(answer);
  }

  /** Ends what is open. */
  close(): void {
    this.#stopNews();
    for (const viewer of this.#viewers) viewer.end();
  }

  #authorize(answer: Answer): void {
    if (this.#token === null || isSame(tokenOf(answer.req), this.#token)) return;
    answer.set({ 'www-authenticate': 'Bearer realm="raftbeat"' });
    throw new RaftError('UNAUTHORIZED', 'open this page with its token: ?token=...');
  }

  async #sendPage(answer: Answer): Promise<void> {
    this.#html ??= readFile(new URL(FILE, import.meta.url));
    const body = await this.#html;
    answer.set({ ...HEADERS, 'content-security-policy': policyOf(body.toString()) });
    answer.send({ status: 200, type: 'text/html; charset=utf-8', body });
  }

  #addViewer(answer: Answer): void {
    if (this.#viewers.size >= MAX_VIEWERS) throw new RaftError('BUSY', `${MAX_VIEWERS} look at it already`);
    const viewer = answer.open({ ...HEADERS, 'content-type': 'text/event-stream' });
    this.#viewers.add(viewer);
    viewer.once('close', () => this.#forget(viewer));
    this.#timer ??= setInterval(() => void this.#tellNews(), NEWS_MS);
    void this.#tellNews();
  }

  #forget(viewer: ServerResponse): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size === 0) this.#stopNews();
  }

  #stopNews(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** One snapshot for all; while it does not come, they are told that this side is still there. */
  async #tellNews(): Promise<void> {
    if (this.#isAsking) return this.#tell(':\n\n');
    this.#isAsking = true;
    const metrics = await this.#receive({ type: 'metrics' }, 'the status page').catch(errorReply);
    this.#isAsking = false;
    this.#tell(`data: ${JSON.stringify({ now: Date.now(), metrics })}\n\n`);
  }

  #tell(text: string): void {
    for (const viewer of this.#viewers) {
      if (viewer.writableLength > MAX_WAITING_BYTES) viewer.destroy();
      else viewer.write(text);
    }
  }
}

/** Nothing of the page may be kept, framed, or taken for something else, and nobody is told where it was. */
const HEADERS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

/** Allows the page its own script and style, to the letter, and events from where it came from. */
function policyOf(html: string): string {
  return [
    "default-src 'none'",
    `script-src '${hashOf(html, 'script')}'`,
    `style-src '${hashOf(html, 'style')}'`,
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function hashOf(html: string, tag: string): string {
  const content = html.slice(html.indexOf(`<${tag}>`) + tag.length + 2, html.indexOf(`</${tag}>`));
  return `sha256-${createHash('sha256').update(content).digest('base64')}`;
}

function tokenOf({ headers, url = '' }: IncomingMessage): string {
  const [, bearer] = /^Bearer (.+)$/i.exec(headers.authorization ?? '') ?? [];
  return bearer ?? new URLSearchParams(url.replace(/^[^?]*/, '')).get('token') ?? '';
}
