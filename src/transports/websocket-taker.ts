import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { RaftError, textOf } from '../core/errors.js';
import { refuseUpgrade } from './http-upgrade.js';
import type { Handshake, Introduced } from './websocket-handshake.js';

/** Takes the calls of other peers. */
export class Taker {
  readonly #handshake: Handshake;
  readonly #server: WebSocketServer;
  /** The headers of each answer. */
  readonly #answers = new WeakMap<IncomingMessage, Readonly<Record<string, string>>>();

  /** @param maxPayload the largest message, in bytes */
  constructor(handshake: Handshake, maxPayload: number) {
    this.#handshake = handshake;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload,
    });
    this.#server.on('headers', (lines: string[], req: IncomingMessage) => {
      for (const [name, value] of Object.entries(this.#answers.get(req) ?? {}))
        lines.push(`${name}: ${value}`);
    });
  }

  /** Takes one, or refuses it. */
  take(
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    connected: (introduced: Introduced, socket: WebSocket) => void,
  ): void {
    try {
      const introduced = this.#handshake.take(req);
      this.#answers.set(req, introduced.headers);
      this.#server.handleUpgrade(req, socket, head, (taken) => connected(introduced, taken));
    } catch (error) {
      const { code, message } =
        error instanceof RaftError ? error : new RaftError('INTERNAL', textOf(error), { cause: error });
      refuseUpgrade(socket, { code, message });
    }
  }
}
