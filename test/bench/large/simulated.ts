import { breathe } from '../../../src/testing/sim/scheduler.js';
import { type Cluster, CountedWorld, L_MS } from './counted-world.js';

/** What one seed showed. */
export interface Trial {
  /** In units of L: until all knew the first leader; and, for each that was killed, the next one. */
  readonly electedL: number;
  readonly failoversL: readonly number[];
  /** Of all peers, per virtual second, while nothing happens. */
  readonly messagesPerSecond: number;
  /** Of all peers, from the death of a leader until all knew the next one. */
  readonly messagesAFailover: readonly number[];
}

/** How long nothing happens: as long as five beats. */
const STEADY_MS = L_MS;
const PATIENCE_MS = 20 * L_MS;
const FAILOVERS = 3;

/** Starts a cluster on virtual time, leaves it alone, and kills its leaders. */
export async function simulated(cluster: Cluster, seed: number): Promise<Trial> {
  const world = new CountedWorld(cluster, seed);
  await breathe();
  for (const place of world.places)
    world.scheduler.after(place.random.between(0, 5), () => world.start(place));
  await world.advance(5);
  const electedMs = 5 + (await world.until(() => world.isLedAfter(0), PATIENCE_MS));
  await world.advance(STEADY_MS);
  const before = world.messages;
  await world.advance(STEADY_MS);
  const messagesPerSecond = (1_000 * (world.messages - before)) / STEADY_MS;
  const failovers: { ms: number; messages: number }[] = [];
  while (failovers.length < FAILOVERS) failovers.push(await failover(world));
  return {
    electedL: electedMs / L_MS,
    failoversL: failovers.map(({ ms }) => ms / L_MS),
    messagesPerSecond,
    messagesAFailover: failovers.map(({ messages }) => messages),
  };
}

/** Kills the leader at a random moment; has it back when another leads. */
async function failover(world: CountedWorld): Promise<{ ms: number; messages: number }> {
  const { leaderPlace } = world;
  if (leaderPlace === null) throw new Error('nobody leads');
  await world.advance(leaderPlace.random.between(0, L_MS));
  const term = leaderPlace.process?.node?.term ?? 0;
  const before = world.messages;
  world.crash(leaderPlace, false);
  const ms = await world.until(() => world.isLedAfter(term), PATIENCE_MS);
  const messages = world.messages - before;
  await world.start(leaderPlace);
  await world.advance(1.5 * L_MS);
  return { ms, messages };
}
