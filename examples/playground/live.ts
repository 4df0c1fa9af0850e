import { Cluster } from './cluster.js';
import { leaderOf, type Picture } from './picture.js';
import { type Action, type Run, toTenths, type Verb } from './run.js';
import type { Show } from './show.js';

const BACK_MS = 10;
/** A step ends after so many ms when nothing happens. */
const STEP_MS = 200;
/** Somebody leads by then, as a rule. */
const FIRST_LEADER_MS = 3_000;

/** A run that is played: time goes on, and back by playing it anew. */
export class Live implements Show {
  /** Virtual ms for each real one. */
  speed = 0.1;
  cluster: Cluster;
  #run: Run;
  /** How many of the actions are done. */
  #done = 0;
  /** The latest moment that was seen. */
  #furthest: number;
  /** Where it pauses by itself: the end of what a link holds. */
  #pauseAt: number | null;
  /** Real time that was too short to count. */
  #left = 0;

  constructor(run: Run) {
    this.#run = run;
    this.#pauseAt = run.until;
    this.#furthest = run.until ?? 0;
    this.cluster = new Cluster(run);
  }

  get picture(): Picture {
    return this.cluster.picture;
  }

  get now(): number {
    return toTenths(this.cluster.now);
  }

  get furthest(): number {
    return this.#furthest;
  }

  get actions(): readonly Action[] {
    return this.#run.actions;
  }

  /** The run up to this moment. */
  get run(): Run {
    return { ...this.#run, actions: this.actions.slice(0, this.#done), until: this.now };
  }

  /** The moment `at`, in ms. */
  async goTo(at: number): Promise<void> {
    const end = toTenths(Math.max(0, at));
    if (end < this.now) {
      this.cluster = new Cluster(this.#run);
      this.#done = 0;
    }
    for (let next = this.actions[this.#done]; next !== undefined; next = this.actions[this.#done]) {
      if (next.at > end) break;
      await this.cluster.runUntil(next.at);
      this.cluster.do(next);
      this.#done++;
    }
    await this.cluster.runUntil(end);
    this.#furthest = Math.max(this.#furthest, end);
    if (end >= (this.#pauseAt ?? end)) this.#pauseAt = null;
  }

  /** Does that now; what the run held of later actions is forgotten. */
  async act(verb: Verb, target: string): Promise<void> {
    this.#run = { ...this.#run, actions: [...this.run.actions, { at: this.now, verb, target }] };
    this.#furthest = this.now;
    this.#pauseAt = null;
    await this.goTo(this.now);
  }

  /** Until somebody leads. */
  async goToFirstLeader(): Promise<void> {
    while (leaderOf(this.picture) === null && this.now < FIRST_LEADER_MS) await this.goTo(this.now + 1);
  }

  async advance(realMs: number): Promise<boolean> {
    this.#left += realMs * this.speed;
    const end = toTenths(this.now + Math.floor(this.#left * 10) / 10);
    this.#left -= end - this.now;
    const goal = Math.min(end, this.#pauseAt ?? end);
    const pauses = goal === this.#pauseAt;
    await this.goTo(goal);
    return !pauses && !this.cluster.world.isOver;
  }

  async step(): Promise<void> {
    const { fingerprint } = this.cluster;
    const end = this.now + STEP_MS;
    while (this.cluster.fingerprint === fingerprint && this.now < end) await this.goTo(this.now + 1);
  }

  back(): Promise<void> {
    return this.goTo(this.now - BACK_MS);
  }

  restart(): Promise<void> {
    return this.goTo(0);
  }
}
