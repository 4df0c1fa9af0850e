import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { RaftCore, RaftPeerSet } from 'raftbeat';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { A, B, C, L } from './cluster.js';
import { candidate, leaderOf } from './support.js';

const source = fileURLToPath(new URL('../../src/', import.meta.url));

/** What the compiler says of `text` if it stood in src/core. */
function coreErrors(text: string): readonly string[] {
  const path = `${source}core/tsconfig.json`;
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path, ts.sys.readFile).config,
    ts.sys,
    `${source}core`,
  );
  const file = `${source}core/impure.ts`;
  const host = ts.createCompilerHost(config.options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2023) : getSourceFile(name, ...rest);
  const program = ts.createProgram([file], config.options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('purity', () => {
  test.each([
    'setTimeout(() => {}, 1);',
    'setInterval(() => {}, 1);',
    'setImmediate(() => {});',
    'queueMicrotask(() => {});',
    'performance.now();',
    'process.hrtime();',
    'console.log(1);',
    'fetch("http://localhost");',
    'crypto.randomUUID();',
    'import "node:fs";',
  ])('%s does not compile in the core', (statement) => {
    expect(coreErrors(`${statement}\nexport {};`)).toHaveLength(1);
  });

  test('what belongs there compiles', () => {
    expect(
      coreErrors("import { RaftCore } from './core.js';\nexport const core: typeof RaftCore = RaftCore;"),
    ).toEqual([]);
  });

  test('what every JavaScript engine has, and the core may not use, is not used there', () => {
    for (const file of readdirSync(`${source}core`).filter((name) => name.endsWith('.ts'))) {
      const text = readFileSync(`${source}core/${file}`, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
      expect(text, file).not.toMatch(/\b(Date|Math\.random|await|async|globalThis|import\()/);
      for (const [, from] of text.matchAll(/from '([^']*)'/g))
        expect(from, file).toMatch(/^(\.\/[a-z-]+\.js|eventemitter3|debug)$/);
    }
  });

  test('the same state, input and clock give the same reply and outputs', () => {
    const run = (): unknown[] => {
      let seed = 1;
      const random = (): number => {
        seed = (seed * 16_807) % 2_147_483_647;
        return seed / 2_147_483_647;
      };
      const core = new RaftCore({ peers: new RaftPeerSet({ local: A, members: [A, B, C] }), random });
      const told: unknown[] = [];
      for (let now = 0; now < 5 * L; now += 40) {
        core.tick(now);
        if (now % 400 === 0) told.push(core.receivedVote({ peer: candidate(B, now / 400) }, now));
        if (now % 1_000 === 0) told.push(core.receivedBeat({ peer: leaderOf(C, 20 + now), datums: [] }, now));
        told.push(...core.takeOutputs(), core.nextDeadline());
      }
      return told;
    };
    expect(run()).toEqual(run());
  });

  test('the core and the node bundle for a browser, without Node modules', async () => {
    const result = await build({
      stdin: { contents: "export * from './index.ts';", resolveDir: source },
      bundle: true,
      write: false,
      minify: true,
      format: 'esm',
      platform: 'browser',
      metafile: true,
    });
    expect(result.errors).toEqual([]);
    expect(result.warnings).toEqual([]);
    expect(result.outputFiles[0]?.text).not.toMatch(/["']node:/);
    const inputs = Object.keys(result.metafile.inputs).filter((input) => input.includes('node_modules'));
    expect(inputs.every((input) => /node_modules\/(eventemitter3|debug|ms)\//.test(input))).toBe(true);
  });

  test('the bundle elects a leader where there is nothing but what browsers have', async () => {
    const { outputFiles } = await build({
      stdin: { contents: "export * from './index.ts';", resolveDir: source },
      bundle: true,
      write: false,
      format: 'iife',
      globalName: 'raftbeat',
      platform: 'browser',
    });
    const browser = [
      'AbortController',
      'AbortSignal',
      'structuredClone',
      'setTimeout',
      'clearTimeout',
      'performance',
    ];
    const hidden = ['process', 'Buffer', 'require', 'global', 'setImmediate', 'module'];
    const bundle = outputFiles[0]?.text as string;
    const scope = new Function(...hidden, `const globalThis = { ${browser} }; ${bundle}; return raftbeat;`);
    const { MemoryNetwork, RaftNode } = scope() as typeof import('raftbeat');
    const network = new MemoryNetwork();
    const members = [A, B, C];
    const nodes = members.map((ip) => new RaftNode({ ip, members, transport: network.transport() }));
    await Promise.all(nodes.map((node) => node.start()));
    const leaders = await Promise.all(nodes.map((node) => node.waitForLeader()));
    for (const { ip } of leaders) expect(members).toContain(ip);
    await Promise.all(nodes.map((node) => node.stop()));
  });
});
