import { spawnSync } from 'node:child_process';
import { type Browser, chromium, type Page } from 'playwright-core';
import { TestRunner } from 'vitest';

const PATH = '/usr/bin/chromium';

/** On a machine that is cut off from the net, Chromium's own connections would only be in the way. */
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

let browser: Promise<Browser> | null = null;

/**
 * A page of Chromium, of a new user each time the browser starts. Where there is none and none can be installed, the test
 * that asks is skipped; in CI it fails.
 */
export async function openPage(url: string, viewport = { width: 1280, height: 800 }): Promise<Page> {
  if (!isThere()) install();
  if (!isThere()) giveUp();
  browser ??= chromium.launch({ executablePath: PATH, args: FLAGS });
  const page = await (await browser).newPage({ viewport });
  await page.goto(url);
  return page;
}

/** Ends the browser, if it was started. */
export async function closeBrowser(): Promise<void> {
  const started = browser;
  browser = null;
  await (await started)?.close();
}

function isThere(): boolean {
  return spawnSync(PATH, ['--version']).status === 0;
}

/** On Debian; waits for whoever else installs something. */
function install(): void {
  const apt = (...args: string[]): boolean =>
    spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], { stdio: 'ignore' }).status === 0;
  if (!apt('install', '-y', 'chromium') && apt('update')) apt('install', '-y', 'chromium');
}

function giveUp(): void {
  const message = 'there is no Chromium: apt-get install chromium';
  if (process.env['CI'] !== 'true') TestRunner.getCurrentTest()?.context.skip(message);
  throw new Error(message);
}
