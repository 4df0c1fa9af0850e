import { execFile } from 'node:child_process';
import { type Browser, chromium, type Page } from 'playwright-core';
import { TestRunner } from 'vitest';

const PATH = '/usr/bin/chromium';

/** On a machine that is cut off from the net, Chromium's own connections would only be in the way. */
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

/** Resolves with null where there is none. */
let browser: Promise<Browser | null> | null = null;

/**
 * A page of Chromium, of a new user each time the browser starts. Where there is none and none can be installed, the test
 * that asks is skipped; in CI it fails.
 */
export async function openPage(url: string, viewport = { width: 1280, height: 800 }): Promise<Page> {
  browser ??= launch();
  const page = await ((await browser) ?? giveUp()).newPage({ viewport });
  await page.goto(url);
  return page;
}

/** Ends the browser, if it was started. */
export async function closeBrowser(): Promise<void> {
  const started = browser;
  browser = null;
  await (await started)?.close();
}

async function launch(): Promise<Browser | null> {
  if (!(await isThere())) await install();
  if (!(await isThere())) return null;
  return chromium.launch({ executablePath: PATH, args: FLAGS });
}

function isThere(): Promise<boolean> {
  return succeeds(PATH, '--version');
}

/** On Debian; waits for whoever else installs something. */
async function install(): Promise<void> {
  const apt = (...args: string[]): Promise<boolean> =>
    succeeds('apt-get', '-o', 'DPkg::Lock::Timeout=300', ...args);
  if (!(await apt('install', '-y', 'chromium')) && (await apt('update')))
    await apt('install', '-y', 'chromium');
}

function giveUp(): never {
  const message = 'there is no Chromium: apt-get install chromium';
  if (process.env['CI'] !== 'true') TestRunner.getCurrentTest()?.context.skip(message);
  throw new Error(message);
}

function succeeds(command: string, ...args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(command, args, (error) => resolve(error === null));
  });
}
