import { expect, test, vi } from 'vitest';
import { HttpService } from '../../src/transports/http-service.js';

test('A start that fails lets go of what was connected meanwhile', async () => {
  const client = { close: vi.fn() };
  const inbound = { serve: vi.fn(), close: vi.fn(async () => {}) };
  const host = { open: () => Promise.reject(new Error('taken')), retire: vi.fn(), close: vi.fn() };
  await expect(new HttpService('/raft').start(() => ({ client, inbound, host }))).rejects.toThrow('taken');
  expect(client.close).toHaveBeenCalledOnce();
  expect(inbound.close).toHaveBeenCalledOnce();
});
