import { expect, test, vi } from 'vitest';
import { Conversation, type Frame } from '../../src/transports/conversation.js';
import { answerPeer, PEER, rejection } from './http-kit.js';

function conversation() {
  const sent: Frame[] = [];
  const idle = vi.fn();
  const send = (frame: Frame) => void sent.push(frame);
  return {
    sent,
    idle,
    talk: new Conversation({ ip: 'b', receive: answerPeer, send, tellsGone: true, idle }),
  };
}

test('A question that nobody waits for any more is not asked', async () => {
  const { sent, talk } = conversation();
  expect((await rejection(talk.ask(PEER, AbortSignal.abort()))).code).toBe('ABORTED');
  expect(sent).toEqual([]);
});

test('When the last question is given up nothing is under way', async () => {
  const { sent, idle, talk } = conversation();
  const abort = new AbortController();
  const asked = rejection(talk.ask(PEER, abort.signal));
  abort.abort();
  expect((await asked).code).toBe('ABORTED');
  expect(sent).toEqual([{ q: 0, m: PEER }, { x: 0 }]);
  expect(idle).toHaveBeenCalledOnce();
});
