import { type Browser, chromium, type Page } from 'playwright-core';
import { TestRunner } from 'vitest';
import { isInstalled } from '../debian.js';

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
  const started = await browser;
  if (started === null) {
    TestRunner.getCurrentTest()?.context.skip('there is no Chromium');
    throw new Error('there is no Chromium');
  }
  const page = await started.newPage({ viewport });
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
  if (!(await isInstalled('chromium'))) return null;
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
}
