import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url));
const GUIDE = 'examples/guide';

/** A program in a document. */
export interface Snippet {
  readonly name: string;
  readonly code: string;
  /** Whether it runs without anything else: what needs somebody's server is compiled only, and says `ts no-run`. */
  readonly runs: boolean;
}

/** A document whose programs and links are to hold. */
export interface Document {
  /** From the root of the package on. */
  readonly path: string;
  readonly text: string;
  readonly snippets: readonly Snippet[];
}

/** The README, and the pages of the guide. */
export const DOCUMENTS: readonly Document[] = [
  'README.md',
  ...readdirSync(join(ROOT, GUIDE)).map((page) => `${GUIDE}/${page}`),
].map(readDocument);

function readDocument(path: string): Document {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const slug = path.replace(/^.*\/|\.md$/g, '').toLowerCase();
  const snippets = [...text.matchAll(/^```ts( no-run)?\n([\s\S]*?)^```/gm)].map(([, mark, code = ''], at) => {
    return { name: `${slug}-${at}`, code, runs: mark === undefined };
  });
  return { path, text, snippets };
}

/** Where the local links of a document lead: a path from the root on, and a heading there. */
export function linksOf({
  path,
  text,
}: Document): readonly { readonly to: string; readonly anchor: string }[] {
  return [...text.matchAll(/\]\((?!https?:)([^)#]*)#?([^)]*)\)/g)].map(([, to = '', anchor = '']) => {
    return { to: to === '' ? path : join(dirname(path), to), anchor };
  });
}

/** The anchors that a document offers. */
export function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}
