import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cleanups, cluster, raftbeat, SECRET } from './kit.js';

const KNOWN = { RAFTBEAT_SECRET: SECRET };

/** The path of a file with `text`; removed after the test. */
function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'raftbeat-test-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'secret'), text);
  return join(folder, 'secret');
}

test('resign has the leader hand over, by the secret of the environment', async () => {
  const { leader, followers } = await cluster({ secret: SECRET });
  const { term } = leader;
  const { code, stdout, stderr } = await raftbeat(['resign', `http://${leader.ip}`], KNOWN);
  expect([code, stderr]).toEqual([0, '']);
  const [, to] = /^\S+ gave up, and (\S+) takes over\n$/.exec(stdout) ?? [];
  const next = followers.find(({ ip }) => ip === to);
  expect(next).toBeDefined();
  await next?.waitForLeader();
  expect([leader.isLeader(), next?.fencingToken]).toEqual([false, term + 1]);
});

test('resign --to names the next leader, --secret-file holds the secret, --json is for machines', async () => {
  const { leader, followers } = await cluster({ secret: SECRET });
  const { ip, term } = leader;
  const to = followers[1].ip;
  const args = ['resign', ip, '--to', to, '--secret-file', file(`${SECRET}\n`), '--json'];
  const { code, stdout } = await raftbeat(args, { RAFTBEAT_SECRET: 'another secret of some length' });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ from: ip, term, to });
  await followers[1].waitForLeader();
  expect(followers[1].isLeader()).toBe(true);
});

test.each([
  ['by one who does not know the secret', { secret: SECRET }, {}, 'not signed with the secret'],
  [
    'by one who knows another secret',
    { secret: SECRET },
    { RAFTBEAT_SECRET: 'another secret of some length' },
    'is not signed with the secret',
  ],
  ['where there is no secret', {}, {}, 'only with a secret, or with remoteResign: true'],
])('resign is refused %s, and the leader leads on', async (_, options, env, why) => {
  const { leader } = await cluster(options);
  const { fencingToken } = leader;
  const { code, stdout, stderr } = await raftbeat(['resign', leader.ip], env);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain(why);
  expect(leader.fencingToken).toBe(fencingToken);
});

test('resign needs no secret with remoteResign', async () => {
  const { leader } = await cluster({ remoteResign: true });
  expect(await raftbeat(['resign', leader.ip])).toMatchObject({ code: 0 });
  expect(leader.isLeader()).toBe(false);
});

test('resign of a follower is refused, and the leader named', async () => {
  const { leader, followers } = await cluster({ secret: SECRET });
  const { code, stderr } = await raftbeat(['resign', followers[0].ip], KNOWN);
  expect(code).toBe(1);
  expect(stderr).toBe(`raftbeat: ${followers[0].ip} does not lead: ${leader.ip} does\n`);
});

test('resign to nobody who is there is refused, and the leader leads on', async () => {
  const { leader } = await cluster({ secret: SECRET });
  const { code, stderr } = await raftbeat(['resign', leader.ip, '--to', 'nobody:1'], KNOWN);
  expect(code).toBe(1);
  expect(stderr).not.toContain('may have given up');
  expect(leader.isLeader()).toBe(true);
});

test('resign to one who does not answer says that leadership may be given up', async () => {
  const { leader, followers } = await cluster({ secret: SECRET });
  await followers[0].stop();
  const { code, stderr } = await raftbeat(['resign', leader.ip, '--to', followers[0].ip], KNOWN);
  expect(code).toBe(1);
  expect(stderr).toContain('it may have given up all the same');
});
