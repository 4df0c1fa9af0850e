import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(`../src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^raftbeat$/, replacement: source('index.ts') },
      { find: /^raftbeat\/http$/, replacement: source('transports/http.ts') },
      { find: /^raftbeat\/broadcast$/, replacement: source('transports/broadcast.ts') },
      { find: /^raftbeat\/cluster$/, replacement: source('transports/cluster.ts') },
      { find: /^raftbeat\/websocket$/, replacement: source('transports/websocket.ts') },
      { find: /^raftbeat\/nacos$/, replacement: source('transports/nacos.ts') },
      { find: /^raftbeat\/nats$/, replacement: source('transports/nats.ts') },
      { find: /^raftbeat\/redis$/, replacement: source('transports/redis.ts') },
      { find: /^raftbeat\/discovery$/, replacement: source('discovery/index.ts') },
      { find: /^raftbeat\/file$/, replacement: source('stores/file.ts') },
      { find: /^raftbeat\/host$/, replacement: source('host/host.ts') },
      { find: /^raftbeat\/lmdb$/, replacement: source('stores/lmdb.ts') },
      { find: /^raftbeat\/prometheus$/, replacement: source('observe/prometheus.ts') },
      { find: /^raftbeat\/opentelemetry$/, replacement: source('observe/opentelemetry.ts') },
      { find: /^raftbeat\/diagnostics$/, replacement: source('observe/diagnostics.ts') },
      { find: /^raftbeat\/testing$/, replacement: source('testing/index.ts') },
    ],
  },
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    // What users are given: the types that are built.
    typecheck: {
      enabled: true,
      include: ['test/types/**/*.test-d.ts'],
      tsconfig: fileURLToPath(new URL('types/tsconfig.json', import.meta.url)),
    },
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      // What is run as a process of its own is not seen from here.
      exclude: ['src/cli/**'],
      reporter: ['text'],
      thresholds: { statements: 95, branches: 90, functions: 95, lines: 95 },
    },
  },
});
