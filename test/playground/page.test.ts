import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Live } from '../../examples/playground/live.js';
import { fromHash, NEW_RUN } from '../../examples/playground/run.js';
import { closeBrowser, openPage } from '../browser/chromium.js';
import { runExample } from '../runs.js';

/** Only so that a test fails at all, and a browser can be installed: nothing here depends on how long anything takes. */
const PATIENT = { timeout: 30_000 };
const INSTALLS = { timeout: 600_000 };
const PHONE = { width: 390, height: 844 };

let url = '';

/** As a stranger would. */
beforeAll(async () => {
  await using run = runExample('playground/build.ts');
  expect(await run.ends(), run.output).toBe(0);
  url = /^open (file:\S+)$/m.exec(run.output)?.[1] ?? '';
}, INSTALLS.timeout);

afterAll(closeBrowser);

/** The page, with what it complained about. */
async function open(
  hash = '',
  viewport?: typeof PHONE,
  reducedMotion: 'reduce' | 'no-preference' = 'no-preference',
): Promise<{ page: Page; complaints: string[] }> {
  const page = await openPage('about:blank', viewport);
  await page.emulateMedia({ reducedMotion });
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(url + hash);
  return { page, complaints };
}

/** Eight digits over all that happened, once it pauses at the moment that its address names. */
async function fingerprint(page: Page): Promise<string> {
  const shown = async (): Promise<string> =>
    `${await page.locator('#play-text').innerText()} at ${await page.locator('#now').innerText()}`;
  const due = (): number => fromHash(new URL(page.url()).hash)?.until ?? Number.NaN;
  await expect
    .poll(async () => (await shown()) === `Play at ${(due() / 1_000).toFixed(3)} s`, PATIENT)
    .toBe(true);
  const text = await page.locator('#checks').innerText();
  return /run ([0-9a-f]{8})$/.exec(text)?.[1] ?? text;
}

/** The run of the address of the page, played here. */
async function playedHere(page: Page): Promise<string> {
  const run = fromHash(new URL(page.url()).hash) ?? NEW_RUN;
  const live = new Live(run);
  await live.goTo(run.until ?? 0);
  return live.cluster.fingerprint;
}

describe('the playground in Chromium', INSTALLS, () => {
  test('opens from the file system, elects, and shows one leader with its lease', async () => {
    const { page, complaints } = await open();
    const leader = page.locator('.peer[data-leads="true"]');
    await leader.waitFor();
    expect(await leader.count()).toBe(1);
    expect(await page.locator('#leader').innerText()).toMatch(/^[abc] leads term 1$/);
    expect(await leader.locator('.answer').innerHTML()).toBe('isLeader() true');
    expect(await leader.locator('.arc.lease').count()).toBe(1);
    expect(await page.locator('#checks').innerText()).toMatch(/^S1 to S4 hold/);
    await page.locator('.message').first().waitFor({ state: 'attached' });
    expect(complaints).toEqual([]);
  });

  test('opens from a static host', async () => {
    const server = createServer(async (_request, response) => {
      response.setHeader('content-type', 'text/html').end(await readFile(new URL(url)));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const page = await openPage(`http://127.0.0.1:${port}/`);
    await page.locator('.peer[data-leads="true"]').waitFor();
    expect(new URL(page.url()).hash).toMatch(/^(#seed=1&peers=3&until=[\d.]+)?$/);
    await page.close();
    server.close();
  });

  test('a stopped leader keeps its lease until it runs out, and only then another leads', async () => {
    const { page } = await open();
    await page.locator('.peer[data-leads="true"]').waitFor();
    await page.locator('#speed').selectOption('1');
    await page.keyboard.press('s');
    const stopped = page.locator('.peer[data-stopped="true"]');
    await stopped.waitFor();
    const next = page.locator('.peer[data-leads="true"][data-stopped="false"]');
    await next.waitFor();
    expect(await stopped.getAttribute('data-leads')).toBe('false');
    expect(await page.locator('#checks').innerText()).toMatch(/^S1 to S4 hold/);
  });

  test('a link repeats a run: in another page, and in Node, event for event', async () => {
    const { page } = await open('#seed=5&peers=5&until=600');
    await page.locator('#speed').selectOption('1');
    await fingerprint(page);
    await page.locator('.peer').first().click();
    await page.getByRole('button', { name: 'Kill' }).click();
    await page.locator('.peer[data-mode="down"]').waitFor();
    await page.keyboard.press('2');
    for (const key of ['c', 'd', 'x']) await page.keyboard.press(key);
    await page.keyboard.press(' ');
    await expect.poll(() => page.locator('#now').innerText(), PATIENT).not.toBe('0.600 s');
    await page.keyboard.press(' ');
    const here = await fingerprint(page);
    const { page: other, complaints } = await open(new URL(page.url()).hash);
    await other.locator('#speed').selectOption('1');
    expect(await fingerprint(other)).toBe(here);
    expect(await other.locator('#now').innerText()).toBe(await page.locator('#now').innerText());
    expect(await playedHere(page)).toBe(here);
    expect(fromHash(new URL(page.url()).hash)?.actions.map(({ verb }) => verb)).toEqual([
      'kill',
      'cut',
      'slow',
      'lossy',
    ]);
    expect(complaints).toEqual([]);
  });

  test('time can be dragged back: the run is played anew', async () => {
    const { page } = await open('#seed=2&until=900');
    await page.locator('#speed').selectOption('1');
    const first = await fingerprint(page);
    await page.locator('#time').fill('300');
    await expect.poll(() => page.locator('#now').innerText(), PATIENT).toBe('0.300 s');
    expect(await fingerprint(page)).not.toBe(first);
    await page.locator('#time').fill('900');
    await expect.poll(() => fingerprint(page), PATIENT).toBe(first);
  });

  test('a message under way can be dropped, when time stands still', async () => {
    const { page } = await open('#seed=2&until=700');
    await page.locator('#speed').selectOption('1');
    await fingerprint(page);
    const message = page.locator('#others button', { hasText: '→' }).first();
    while ((await message.count()) === 0) await page.keyboard.press('ArrowRight');
    await message.click();
    await page.keyboard.press('x');
    await expect.poll(() => page.locator('#facts').innerText(), PATIENT).toBe('It is lost.');
    await expect.poll(async () => (await playedHere(page)) === (await fingerprint(page)), PATIENT).toBe(true);
    expect(fromHash(new URL(page.url()).hash)?.actions).toMatchObject([{ verb: 'drop' }]);
  });

  test('stands still at first for whoever wants less motion', async () => {
    const { page } = await open('#seed=1', undefined, 'reduce');
    await page.locator('.peer[data-leads="true"]').waitFor();
    const now = await page.locator('#now').innerText();
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => page.locator('#now').innerText(), PATIENT).not.toBe(now);
    expect(await page.locator('#play-text').innerText()).toBe('Play');
  });

  test('says when a link is damaged', async () => {
    const { page } = await open('#seed=1&actions=never');
    expect(await page.locator('#notice').innerText()).toMatch(/^This link is damaged/);
    await page.locator('.peer[data-leads="true"]').waitFor();
  });

  test('steps through a scenario of the tests, and one from a file', async () => {
    const { page, complaints } = await open();
    await page.getByRole('button', { name: 'Scenarios' }).click();
    await page.locator('#scenario').selectOption('election-of-three');
    await page.keyboard.press('ArrowRight');
    await page.locator('#script .mark').first().waitFor();
    expect(await page.locator('#script .mark').first().innerText()).toBe('✓ as written');
    const buffer = Buffer.from('# Mine.\npeers a b\nelect\n');
    await page.locator('#scenario-file').setInputFiles({ name: 'mine.txt', mimeType: 'text/plain', buffer });
    await expect.poll(() => page.locator('.peer').count(), PATIENT).toBe(2);
    await page.keyboard.press('ArrowRight');
    await page.locator('.peer[data-leads="true"]').waitFor();
    expect(await page.locator('#script .note').innerText()).toBe('Mine.');
    expect(complaints).toEqual([]);
  });

  test.each([3, 7])('fits a phone with %i peers, in both views', async (peers) => {
    const { page } = await open(`#seed=1&peers=${peers}`, PHONE);
    await page.locator('.peer[data-leads="true"]').waitFor();
    const width = (): Promise<unknown> => page.evaluate('document.documentElement.scrollWidth');
    expect(await width()).toBe(PHONE.width);
    await page.getByRole('button', { name: 'Scenarios' }).click();
    await page.locator('.peer').first().waitFor();
    expect(await width()).toBe(PHONE.width);
  });
});
