import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RaftReply, RaftRequest } from '../core/messages.js';
import { type Answer, Answers, nameOf } from './http-answers.js';
import { mediaType, readBody } from './http-wire.js';
import { writeRefusal, writeReply } from './nacos-replies.js';
import { FORWARDED_HEADER, methodsOf, readRequest } from './nacos-requests.js';
import type { Receive } from './transport.js';

/** What it takes to answer original peers. */
export interface NacosInboundOptions {
  readonly bodyLimitBytes: number;
  readonly receive: Receive;
}

/** Answers what original peers ask. */
export class NacosInbound {
  readonly #options: NacosInboundOptions;
  readonly #answers = new Answers(writeRefusal);

  constructor(options: NacosInboundOptions) {
    this.#options = options;
  }

  /** Answers a request for `path`, the part of its path below ours. */
  serve(req: IncomingMessage, res: ServerResponse, path: string): void {
    this.#answers.serve(req, res, (answer) => this.#answer(answer, path));
  }

  /** Resolved when no answer is under way any more. */
  close(): Promise<void> {
    return this.#answers.close();
  }

  async #answer(answer: Answer, path: string): Promise<void> {
    const { req } = answer;
    const method = req.method ?? '';
    const methods = methodsOf(path);
    if (!methods.includes(method)) {
      answer.allow(methods);
      const message = `there is no ${method} ${path}`;
      return answer.send({
        ...writeRefusal({ code: 'BAD_REQUEST', message }),
        status: methods.length > 0 ? 405 : 404,
      });
    }
    const request = await readRequest(method, path, await this.#incoming(req));
    const reply: RaftReply = await this.#options.receive(request, nameOf(req));
    answer.send(writeReply((request as RaftRequest).type, reply));
  }

  async #incoming(req: IncomingMessage & { originalUrl?: string }) {
    const { bodyLimitBytes } = this.#options;
    const [, query = ''] = (req.originalUrl ?? req.url ?? '').split('?', 2);
    return {
      query: new URLSearchParams(query),
      body: await readBody(req, bodyLimitBytes),
      isForm: mediaType(req) === 'application/x-www-form-urlencoded',
      isForwarded: req.headers[FORWARDED_HEADER] !== undefined,
      bodyLimitBytes,
    };
  }
}
