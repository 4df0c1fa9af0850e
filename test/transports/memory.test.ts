import { MemoryNetwork } from 'raftbeat';
import { expect, onTestFinished, test } from 'vitest';

test('a transport with many requests under way makes the platform warn of nothing', async () => {
  const warnings: unknown[] = [];
  const note = (warning: unknown): void => void warnings.push(warning);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  const network = new MemoryNetwork();
  const [asker, ...others] = Array.from({ length: 21 }, () => network.transport());
  const ips = others.map((_, at) => `b${at}`);
  await asker?.start('a', () => new Promise(() => {}));
  await Promise.all(others.map((other, at) => other.start(ips[at] ?? '', () => new Promise(() => {}))));
  const { signal } = new AbortController();
  asker?.broadcast(ips, { type: 'peer' }, { signal, answered: () => {} });
  const asked = ips.map((ip) =>
    asker?.request(ip, { type: 'peer' }, { signal: new AbortController().signal }),
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
  await asker?.stop();
  const outcomes = await Promise.allSettled(asked);
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']));
});
