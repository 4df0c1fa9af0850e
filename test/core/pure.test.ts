import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Output, RaftCore, RaftPeerSet } from 'raftbeat';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { A, B, C, L, peer } from './cluster.js';
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

describe('the pure classes on their own', () => {
  test('a peer set makes a leader, tells so, and asks the former one', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    const told: string[] = [];
    peers.on('makeLeader', ({ leader }) => told.push(leader.ip));
    expect(peers.makeLeader(leaderOf(B, 1))).toBe(peers.get(B));
    peers.makeLeader(leaderOf(B, 1));
    peers.makeLeader(leaderOf(C, 2));
    expect(told).toEqual([B, C]);
    expect(peers.isLeader(C)).toBe(true);
    expect(peers.takeOutputs()).toEqual([{ type: 'fetchPeer', from: B }]);
    expect(peers.takeOutputs()).toEqual([]);
  });

  test('a core accepts a beat with nothing but a peer and datums, and tells what is to be done', () => {
    const core = new RaftCore({
      peers: new RaftPeerSet({ local: A, members: [A, B, C] }),
      random: Math.random,
    });
    const reply = core.receivedBeat({ peer: leaderOf(B, 3), datums: [] }, 12_345);
    expect(reply).toMatchObject({ ip: A, state: 'FOLLOWER', term: 3, voteFor: B, requestTerm: 3 });
    const outputs: readonly Output[] = core.takeOutputs();
    expect(outputs).toEqual([{ type: 'save', state: { term: 3, voteFor: B, promisedMs: 500 } }]);
  });

  test('changePeers keeps the known, adds fresh ones, drops the rest, and with them a leader that left', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    const lost: string[] = [];
    peers.on('leaderLost', ({ leader }) => lost.push(leader.ip));
    peers.makeLeader(leaderOf(B, 7));
    const known = peers.get(B);
    peers.changePeers([A, B, 'd:1']);
    expect(peers.ips).toEqual([A, B, 'd:1']);
    expect(peers.get(B)).toBe(known);
    expect(peers.get('d:1')).toMatchObject({ term: 0, state: 'FOLLOWER' });
    expect(peers.contains(C)).toBe(false);
    peers.changePeers([A, C]);
    expect(peers.leader).toBeNull();
    expect(lost).toEqual([B]);
    expect(peers.majorityCount()).toBe(2);
  });

  test.each([
    ['no array', 'a:1' as unknown as string[]],
    ['twice the same', [A, A]],
    ['an empty ip', [A, '']],
    ['an ip with a blank', [A, 'b 1']],
    ['an ip that is too long', [A, 'b'.repeat(301)]],
    ['no ip', [A, {} as { ip: string }]],
    ['null', [A, null as unknown as string]],
    ['a negative priority', [{ ip: A, priority: -1 }]],
    ['a broken priority', [{ ip: A, priority: 1.5 }]],
    ['a priority above 1000', [{ ip: A, priority: 1001 }]],
    ['an observer that is no boolean', [{ ip: A, observer: 1 as unknown as boolean }]],
  ])('members with %s are refused, and the set stays as it was', (_name, members) => {
    const peers = new RaftPeerSet({ local: A, members: [A, B] });
    expect(() => peers.changePeers(members)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }));
    expect(peers.ips).toEqual([A, B]);
  });

  test('a peer that is not among its own members takes part in nothing', () => {
    const peers = new RaftPeerSet({ local: A, members: [B, C] });
    expect(() => peers.local()).toThrow(`unable to find local peer: ${A}`);
    const core = new RaftCore({ peers, random: Math.random });
    core.tick(0);
    core.tick(100 * L);
    expect(core.takeOutputs()).toEqual([]);
    expect(() => core.receivedVote({ peer: candidate(B, 1) }, 0)).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_PEER' }),
    );
    expect(core.getPeer(0)).toMatchObject({ ip: A, term: 0, state: 'FOLLOWER' });
  });

  test('events come when the state is whole, each listener is called, and what it causes comes afterwards', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    const told: string[] = [];
    peers.on('makeLeader', ({ leader }) => {
      told.push(`first ${leader.ip} ${peers.get(leader.ip)?.state}`);
      if (leader.ip === B) peers.makeLeader(leaderOf(C, 2));
      throw new Error('broken');
    });
    peers.on('makeLeader', ({ leader }) => told.push(`second ${leader.ip}`));
    peers.on('leaderLost', ({ leader }) => told.push(`lost ${leader.ip}`));
    peers.on('error', ({ code }) => told.push(code));
    peers.makeLeader(leaderOf(B, 1));
    expect(told).toEqual([
      'first b:1 LEADER',
      'LISTENER_FAILED',
      'second b:1',
      'lost b:1',
      'first c:1 LEADER',
      'LISTENER_FAILED',
      'second c:1',
    ]);
  });

  test('a peer equals another of the same ip', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B] });
    expect(peers.local().equals(peer(A, { term: 9 }))).toBe(true);
    expect(peers.local().equals(peer(B))).toBe(false);
  });

  test.each([
    ['a wrong time', { leaderTimeoutMs: 9 }],
    ['not a number', { heartbeatMs: Number.NaN }],
    ['beats too far apart for the lease', { leaderTimeoutMs: 1_000, heartbeatMs: 403 }],
    ['a round trip above a tenth of L', { leaderTimeoutMs: 1_000, requestTimeoutMs: 101 }],
    ['a drift that leaves no lease', { clockDrift: 0.5 }],
    ['a negative wait', { randomMs: -1 }],
    ['an endless wait', { staggerMs: Number.POSITIVE_INFINITY }],
  ])('times with %s are refused', (_name, timing) => {
    const peers = new RaftPeerSet({ local: A, members: [A] });
    expect(() => new RaftCore({ peers, random: Math.random, timing })).toThrow(
      expect.objectContaining({
        code: 'BAD_OPTION',
        message: expect.stringContaining(Object.keys(timing).at(-1) as string),
      }),
    );
  });
});
