import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const HERE = new URL('.', import.meta.url);
const CASES = new URL('../../test/scenarios/cases/', import.meta.url);
const STYLE = /<link rel="stylesheet" href="(.*?)">/g;

/** Writes the page as one file that needs nothing else. @returns its path */
export async function bundle(): Promise<string> {
  const page = await read('index.html');
  const styles = await Promise.all([...page.matchAll(STYLE)].map(([, path = '']) => read(path)));
  const script = await bundledScript();
  // By functions: in a text, some signs of what is put in would have a meaning.
  const whole = page
    .replaceAll(STYLE, () => `<style>\n${styles.shift()}</style>`)
    .replace('<script src="main.ts"></script>', () => `<script>\n${script}</script>`);
  const folder = new URL('dist/', HERE);
  await mkdir(folder, { recursive: true });
  const file = fileURLToPath(new URL('index.html', folder));
  await writeFile(file, whole);
  return file;
}

async function bundledScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('main.ts', HERE))],
    bundle: true,
    write: false,
    minify: true,
    platform: 'browser',
    format: 'iife',
    target: 'es2022',
    define: { SCENARIOS: JSON.stringify(await scenarios()) },
  });
  return outputFiles[0]?.text ?? '';
}

/** The scenarios of the tests, by their names. */
async function scenarios(): Promise<Record<string, string>> {
  const names = (await readdir(CASES)).filter((name) => name.endsWith('.txt')).sort();
  const texts = names.map(async (name) => [name.replace('.txt', ''), await read(name, CASES)]);
  return Object.fromEntries(await Promise.all(texts));
}

function read(path: string, from = HERE): Promise<string> {
  return readFile(new URL(path, from), 'utf8');
}
