import { Counter, Registry } from 'prom-client';
import { exportToPrometheus } from 'raftbeat/prometheus';
import { expect, test } from 'vitest';
import { A, H, Lab } from '../node/virtual.js';
import { ALONE, FOLLOWER, HOST, LEADER, telling } from './watched.js';

/** The text that Prometheus would get, without its comments. */
async function scraped(...watched: Parameters<typeof telling>[0][]): Promise<readonly string[]> {
  const registry = new Registry();
  exportToPrometheus(watched.map((each) => telling(each)) as never, registry);
  return lines(await registry.metrics());
}

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

test('a leader is told by its numbers, seconds being the unit of time, and labels escaped', async () => {
  expect(await scraped(LEADER)).toEqual([
    'raftbeat_running{ip="a:1"} 1',
    'raftbeat_leader{ip="a:1"} 1',
    'raftbeat_leader_known{ip="a:1"} 1',
    'raftbeat_term{ip="a:1"} 6',
    'raftbeat_lease_left_seconds{ip="a:1"} 0.425',
    'raftbeat_rejoining{ip="a:1"} 0',
    'raftbeat_learning{ip="a:1"} 0',
    'raftbeat_leader_changes_total{ip="a:1"} 3',
    'raftbeat_elections_begun_total{ip="a:1"} 2',
    'raftbeat_elections_won_total{ip="a:1"} 1',
    'raftbeat_leaderships_lost_total{ip="a:1"} 1',
    'raftbeat_requests_sent_total{ip="a:1",type="beat",outcome="answered"} 40',
    'raftbeat_requests_sent_total{ip="a:1",type="beat",outcome="refused"} 1',
    'raftbeat_requests_sent_total{ip="a:1",type="beat",outcome="timed_out"} 2',
    'raftbeat_requests_sent_total{ip="a:1",type="beat",outcome="failed"} 3',
    'raftbeat_requests_received_total{ip="a:1",type="vote",outcome="answered"} 5',
    'raftbeat_requests_received_total{ip="a:1",type="vote",outcome="refused"} 6',
    'raftbeat_requests_received_total{ip="a:1",type="unknown",outcome="answered"} 0',
    'raftbeat_requests_received_total{ip="a:1",type="unknown",outcome="refused"} 7',
    'raftbeat_round_trip_seconds{ip="a:1",peer="b:1"} 0.0015',
    'raftbeat_peer_silence_seconds{ip="a:1",peer="b:1"} 0.07',
    'raftbeat_peer_behind{ip="a:1",peer="b:1"} 0',
    'raftbeat_peer_behind{ip="a:1",peer="c\\"\\n\\\\:1"} 9',
    'raftbeat_revision{ip="a:1"} 12',
    'raftbeat_datums{ip="a:1"} 14',
    'raftbeat_writes_total{ip="a:1",outcome="ok"} 15',
    'raftbeat_writes_total{ip="a:1",outcome="CONFLICT"} 16',
    'raftbeat_reads_total{ip="a:1",outcome="ok"} 17',
    'raftbeat_calls_waiting{ip="a:1"} 11',
    'raftbeat_queue_length{ip="a:1"} 10',
    'raftbeat_saves_total{ip="a:1"} 8',
    'raftbeat_save_time_seconds_total{ip="a:1"} 0.024',
    'raftbeat_save_longest_seconds{ip="a:1"} 0.009',
    'raftbeat_errors_total{ip="a:1",code="LISTENER_FAILED"} 4',
  ]);
});

test('a follower tells nothing of the other followers, whom it does not ask', async () => {
  const text = await scraped(FOLLOWER);
  expect(text).toContain('raftbeat_leader{ip="b:1"} 0');
  expect(text).toContain('raftbeat_lease_left_seconds{ip="b:1"} 0');
  expect(text.filter((line) => line.includes('peer='))).toEqual([]);
});

test('one that leads alone tells no end of its lease', async () => {
  const text = await scraped(ALONE);
  expect(text).toContain('raftbeat_leader{ip="a:1"} 1');
  expect(text.filter((line) => line.includes('lease_left'))).toEqual([]);
});

test('a host tells of its groups, and of the hosts that it asks', async () => {
  const text = await scraped(HOST);
  expect(text).toContain('raftbeat_groups{ip="h:1"} 20');
  expect(text).toContain('raftbeat_groups_led{ip="h:1"} 7');
  expect(text).toContain('raftbeat_round_trip_seconds{ip="h:1",peer="i:1"} 0.0015');
  expect(text.filter((line) => /_(leader|term|datums|writes_total)\{/.test(line))).toEqual([]);
});

test('what several tell comes from one registry, told apart by their ips', async () => {
  const text = await scraped(LEADER, FOLLOWER, HOST);
  expect(text.filter((line) => line.startsWith('raftbeat_running'))).toEqual([
    'raftbeat_running{ip="a:1"} 1',
    'raftbeat_running{ip="b:1"} 1',
    'raftbeat_running{ip="h:1"} 1',
  ]);
});

test('a number that is no more is told no longer', async () => {
  let metrics = LEADER;
  const registry = new Registry();
  exportToPrometheus({ metrics: () => metrics }, registry);
  expect(lines(await registry.metrics()).filter((line) => line.includes('peer='))).not.toEqual([]);
  metrics = FOLLOWER;
  expect(lines(await registry.metrics()).filter((line) => line.includes('peer='))).toEqual([]);
});

test('all numbers of one answer are of the same moment', async () => {
  let reads = 0;
  const registry = new Registry();
  const metrics = () => ({ ...LEADER, term: ++reads, leaderChanges: reads });
  exportToPrometheus({ metrics }, registry);
  for (const read of [1, 2]) {
    const text = await registry.metrics();
    expect(text).toContain(`raftbeat_term{ip="a:1"} ${read}\n`);
    expect(text).toContain(`raftbeat_leader_changes_total{ip="a:1"} ${read}\n`);
  }
});

test('names and units are as Prometheus wants them', async () => {
  const registry = new Registry();
  exportToPrometheus([telling(LEADER), telling(HOST)], registry);
  const metrics = await registry.getMetricsAsJSON();
  expect(metrics).toHaveLength(28);
  for (const { name, type, help } of metrics) {
    expect(name).toMatch(/^raftbeat_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith('_total')).toBe(String(type) === 'counter');
    expect(name).not.toMatch(/_(ms|milliseconds|count|sum|bucket|gauge|counter)(_|$)/);
    expect(help).toMatch(/^[A-Z].*\.$/);
  }
});

test('a registry gets its own metrics alone back when they are taken out', async () => {
  const registry = new Registry();
  new Counter({ name: 'mine_total', help: 'Mine.', registers: [registry] });
  const end = exportToPrometheus(telling(LEADER), registry);
  end();
  expect(lines(await registry.metrics())).toEqual(['mine_total 0']);
  exportToPrometheus(telling(LEADER), registry)();
});

test('a node is watched as it runs', async () => {
  const lab = new Lab([A]);
  const registry = new Registry();
  exportToPrometheus(lab.node(A), registry);
  expect(lines(await registry.metrics())).toContain('raftbeat_leader{ip="a:1"} 0');
  await lab.elect();
  await lab.advance(H);
  expect(lines(await registry.metrics())).toContain('raftbeat_leader{ip="a:1"} 1');
});
