import type { Page } from 'playwright-core';
import { MemoryStore, RaftNode, type RaftNodeOptions } from 'raftbeat';
import { HttpTransport, type HttpTransportOptions } from 'raftbeat/http';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { RaftMetrics } from '../../src/core/metrics.js';
import { HOST, LEADER } from '../observe/watched.js';
import { freeAddress } from '../transports/ports.js';
import { closeBrowser, openPage } from './chromium.js';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

afterAll(closeBrowser);

/** A transport that serves a page of `metrics`, and its address. */
async function serve(metrics: unknown, options: HttpTransportOptions = {}): Promise<string> {
  const ip = await freeAddress();
  const transport = new HttpTransport(options);
  ends.push(() => transport.stop());
  await transport.start(ip, async () => metrics as RaftMetrics);
  return ip;
}

/** Three nodes that have elected, and are patient: a browser that starts holds up this process. */
async function cluster(options: Partial<RaftNodeOptions> = {}) {
  const members = await Promise.all([1, 2, 3].map(() => freeAddress()));
  const nodes = members.map(
    (ip) =>
      new RaftNode({
        ip,
        members,
        transport: new HttpTransport(),
        store: new MemoryStore(),
        leaderTimeoutMs: 3_000,
        ...options,
      }),
  );
  ends.push(() => Promise.all(nodes.map((node) => node.stop())));
  await Promise.all(nodes.map((node) => node.start()));
  const { ip } = await (nodes[0] as RaftNode).waitForLeader();
  const leader = nodes.find((node) => node.ip === ip) as RaftNode;
  return { leader, followers: nodes.filter((node) => node !== leader) as [RaftNode, RaftNode] };
}

/** The page of a peer, and whatever it complained of, or asked for elsewhere. */
async function look(ip: string, query = ''): Promise<{ readonly page: Page; readonly faults: string[] }> {
  const page = await openPage('about:blank');
  ends.push(() => page.context().close());
  const faults: string[] = [];
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => {
    const { host, protocol } = new URL(request.url());
    if (host !== ip && protocol !== 'data:') faults.push(`asked for ${request.url()}`);
  });
  await page.goto(`http://${ip}/raft/ui${query}`);
  return { page, faults };
}

/** Waits until `selector` has a text as it should be. */
async function until(page: Page, selector: string, hasText: RegExp, hasNotText: string = '-'): Promise<void> {
  await page.locator(selector, { hasText, hasNotText }).waitFor({ timeout: 20_000 });
}

const texts = (page: Page, selector: string): Promise<string[]> => page.locator(selector).allInnerTexts();

describe('The status page', () => {
  test('shows who leads, in which term and since when, the lease, the peers and the changes', async () => {
    const { leader, followers } = await cluster({ registry: true });
    await leader.publish('k', 1);
    const { page, faults } = await look(leader.ip);
    await until(page, '#peers', /\d ms/);
    expect(await texts(page, '#leader')).toEqual([leader.ip]);
    expect((await texts(page, '#since'))[0]).toMatch(/^Term \d+ since \d\d:\d\d:\d\d, for \d+ (s|min)/);
    expect((await texts(page, '#lease-left'))[0]).toMatch(/^\d+ of 3,000 ms$/);
    expect(await texts(page, '#answering')).toEqual(['2 of 2 followers answer']);
    expect(await texts(page, '#peers .ip')).toEqual([
      `${leader.ip} this peer`,
      ...leader.peers.map(({ ip }) => ip).filter((ip) => ip !== leader.ip),
    ]);
    expect(await texts(page, '#peers .badge')).toEqual(['leads', 'follows', 'follows']);
    expect(await texts(page, '#changes li span:last-child')).toEqual([
      `${leader.ip} leads in term ${leader.term}`,
    ]);
    expect(await page.title()).toBe(`${leader.ip} leads · raftbeat`);
    const follower = await look(followers[0].ip);
    await until(follower.page, '#leader', new RegExp(`^${leader.ip}$`));
    expect(await texts(follower.page, '#lease-left')).toEqual(['known to the leader alone']);
    expect([...faults, ...follower.faults]).toEqual([]);
  });

  test('shows a new leader, and who does not answer it, without being loaded again', async () => {
    const { leader, followers } = await cluster();
    const { page } = await look(followers[0].ip);
    await until(page, '#leader', new RegExp(`^${leader.ip}$`));
    await leader.stop();
    await until(page, '#leader', /:\d+$/, leader.ip);
    const [ip = ''] = await texts(page, '#leader');
    const [first = ''] = await texts(page, '#changes li span:last-child');
    expect(first).toMatch(new RegExp(`^${ip} leads in term \\d+$`));
    const ofLeader = await look(ip);
    await until(ofLeader.page, '#peers', /no answer/);
    expect(await texts(ofLeader.page, '#answering')).toEqual(['1 of 2 followers answer']);
    expect(await texts(ofLeader.page, '#peers tr:has(.bad) .ip')).toEqual([leader.ip]);
  });

  test('says so when its peer is gone, and goes on when that is back', async () => {
    const ip = await freeAddress();
    const node = new RaftNode({ ip, transport: new HttpTransport() });
    ends.push(() => node.stop());
    await node.start();
    const { page } = await look(ip);
    await until(page, '#link-text', /^live$/);
    await node.stop();
    await until(page, '#banner', /^This peer does not answer; trying again\. What is shown is of /);
    expect(await page.locator('#banner').isVisible()).toBe(true);
    await node.start();
    await until(page, '#link-text', /^live$/);
    expect(await page.locator('#banner').isVisible()).toBe(false);
  });

  test('shows names as text, whatever is in them', async () => {
    const name = '<img src=x onerror=alert(1)>"&';
    const [peer] = LEADER.peers;
    const change = { atMs: 1_700_000_000_000, leader: name, term: 6 };
    const ip = await serve({
      ...LEADER,
      ip: name,
      leader: name,
      peers: [{ ...peer, ip: name }],
      errors: { [name]: 1 },
      changes: [change],
    });
    const { page, faults } = await look(ip);
    await until(page, '#leader', /img/);
    expect(await texts(page, 'h1, #leader')).toEqual([name, name]);
    expect(await texts(page, '#changes li span:last-child')).toEqual([`${name} leads in term 6`]);
    expect(await page.locator('img').count()).toBe(0);
    expect(faults).toEqual([]);
  });

  test('shows, while nobody leads, who answers and of whom there is no word', async () => {
    const [b, c] = LEADER.peers;
    const ip = await serve({
      ...LEADER,
      isLeader: false,
      state: 'FOLLOWER',
      leader: null,
      leaderSinceMs: null,
      leaseLeftMs: 0,
      peers: [b, { ...c, ip: 'c:1' }],
    });
    const { page } = await look(ip);
    await until(page, '#leader', /^Nobody leads$/);
    expect(await texts(page, '#state, #peers .badge')).toEqual([
      'waits for a leader',
      'waits',
      'answers',
      'no word',
    ]);
    expect(await texts(page, '#since')).toEqual(['Term 6']);
  });

  test('shows a host of groups', async () => {
    const ip = await serve(HOST);
    const { page, faults } = await look(ip);
    await until(page, '#tiles', /Groups20/);
    expect(await texts(page, '#peers .ip')).toEqual(['i:1']);
    expect(await page.locator('#leading').isVisible()).toBe(false);
    expect(faults).toEqual([]);
  });

  test('takes its token along to its events', async () => {
    const ip = await serve(LEADER, { ui: { token: 'a token of + length' } });
    const { page, faults } = await look(ip, `?token=${encodeURIComponent('a token of + length')}`);
    await until(page, '#leader', /^a:1$/);
    expect(faults).toEqual([]);
  });

  test('fits a phone: nothing is wider than its window', async () => {
    const ip = await serve({ ...LEADER, ip: `${'a-long-name.'.repeat(8)}example:7001` });
    const { page } = await look(ip);
    await page.setViewportSize({ width: 390, height: 844 });
    await until(page, '#leader', /^a:1$/);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  });

  test('keeps what a person has selected', async () => {
    const { page } = await look(await serve(LEADER));
    await until(page, '#peers', /b:1/);
    await page.evaluate(`{
      getSelection().selectAllChildren([...document.querySelectorAll('.ip')].find((cell) => cell.textContent === 'b:1'));
      document.querySelector('#link-text').textContent = 'until the next event';
    }`);
    await until(page, '#link-text', /^live$/);
    expect(await page.evaluate('String(getSelection())')).toBe('b:1');
  });
});
