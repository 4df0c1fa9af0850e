import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { freeAddresses } from '../../src/cli/demo/addresses.js';
import { type Run, runExample, until } from '../runs.js';

const names = ['billing-0', 'billing-1', 'billing-2'];
const folder = new URL('../../examples/deployment/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const directories: string[] = [];
const runs = new Map<string, Run>();

afterEach(async () => {
  for (const run of runs.values()) await run[Symbol.asyncDispose]();
  for (const each of directories.splice(0)) rmSync(each, { recursive: true, force: true });
});

/** What the program takes from its environment. */
const variables = [
  ...(/const \{([\s\S]*?)\} = process\.env/.exec(read('service.ts'))?.[1] ?? '').matchAll(/^ {2}(\w+)/gm),
].map(([, name]) => name as string);

test('The service finds its peers in a file, and the leader hands over when it is asked to, or told to end', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'raftbeat-'));
  directories.push(directory);
  const addresses = await freeAddresses(6);
  const peers = join(directory, 'peers.json');
  const portOf = (at: number): string => addresses[at]?.split(':')[1] ?? '';
  writeFileSync(peers, JSON.stringify(names.map((ip, at) => ({ ip, address: addresses[at] }))));
  for (const [at, ip] of names.entries()) {
    const env = {
      POD: ip,
      MEMBERS: names.join(' '),
      PEERS: peers,
      DATA: join(directory, ip),
      HOST: '127.0.0.1',
      PORT: portOf(at),
      ADMIN_PORT: portOf(at + 3),
    };
    runs.set(ip, runExample('deployment/service.ts', [], env));
  }
  /** The last that all of them know to lead, but `former`. */
  const leader = (former = ''): Promise<string> =>
    until(
      () => {
        const last = [...runs.values()].map(
          ({ output }) => [...output.matchAll(/^(\S+) leads/gm)].at(-1)?.[1],
        );
        const [first = former] = last;
        return first !== former && last.every((each) => each === first) && first;
      },
      () => `a leader in ${[...runs.values()].map(({ output }) => output).join('---\n')}`,
    );
  const first = await leader();
  await runs.get(first)?.says(/ runs$/m);
  const answer = await fetch(`http://127.0.0.1:${portOf(names.indexOf(first) + 3)}/resign`);
  const second = await leader(first);
  expect(await answer.text()).toBe(`handed over to ${second}`);
  runs.get(second)?.signal('SIGTERM');
  expect(await runs.get(second)?.ends()).toBeNull();
  runs.delete(second);
  await leader(second);
});

test('The manifest for Kubernetes fits the service: its variables, ports and names', () => {
  const documents = parseAllDocuments(read('kubernetes.yaml')).map((it) => it.toJS());
  const of = (kind: string) => documents.find((each) => each.kind === kind);
  const set = of('StatefulSet').spec;
  const service = of('Service');
  const [container] = set.template.spec.containers;
  const value = (name: string): string =>
    container.env.find((it: { name: string }) => it.name === name)?.value;
  expect(variables).toEqual(expect.arrayContaining(container.env.map(({ name }: { name: string }) => name)));
  expect(set.serviceName).toBe(service.metadata.name);
  expect(service.spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
  expect(service.spec.selector).toEqual(set.template.metadata.labels);
  expect(value('PEERS')).toBe(
    `_${service.spec.ports[0].name}._tcp.${service.metadata.name}.default.svc.cluster.local`,
  );
  expect(value('MEMBERS').split(' ')).toEqual(names);
  expect(set.replicas).toBe(names.length);
  expect(of('PodDisruptionBudget').spec.minAvailable).toBe(Math.floor(names.length / 2) + 1);
  expect(container.readinessProbe.httpGet).toEqual({ path: '/raft/state', port: 'raft' });
});

test('The files for pm2 and systemd set variables that the service knows', () => {
  const { apps } = createRequire(import.meta.url)(new URL('ecosystem.config.cjs', folder).pathname);
  expect(apps.map(({ name }: { name: string }) => name)).toEqual(names);
  for (const { env } of apps) expect(variables).toEqual(expect.arrayContaining(Object.keys(env)));
  expect(
    new Set(apps.flatMap(({ env }: { env: Record<string, string> }) => [env['PORT'], env['ADMIN_PORT']]))
      .size,
  ).toBe(6);
  const [, environment = ''] = /^Environment=(.*)$/m.exec(read('raftbeat@.service')) ?? [];
  const set = [...environment.matchAll(/(\w+)=/g)].map(([, name]) => name as string);
  expect(set.length).toBeGreaterThan(2);
  expect(variables).toEqual(expect.arrayContaining(set));
});
