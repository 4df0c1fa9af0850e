import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorReply } from '../core/messages.js';
import { CONTENT_TYPE, statusOf } from './http-wire.js';

/** Takes a connection that asks to leave HTTP, or returns false when it is for somebody else. */
export type UpgradeHandler = (req: IncomingMessage, socket: Duplex, head: Buffer) => boolean;

/** Ends a connection that asks to leave HTTP, with a refusal that says why. */
export function refuseUpgrade(socket: Duplex, reply: ErrorReply): void {
  const body = JSON.stringify(reply);
  const head = [
    `HTTP/1.1 ${statusOf(reply.code)} ${reply.code}`,
    'connection: close',
    `content-type: ${CONTENT_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.on('error', () => {});
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
