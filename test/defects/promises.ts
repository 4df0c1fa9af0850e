import { CORE, type Defect, model, patch, scenario, simulator } from './defect.js';

/** Who is bound, and for how long (protocol, section 3, promise). */
export const PROMISES: readonly Defect[] = [
  {
    name: 'a vote of a higher term is granted during a promise',
    patches: [
      patch(
        CORE,
        'if (refusedForMs > 0) return this.#voteReply(',
        'if (refusedForMs > 0 && peer.term <= this.#self.term) return this.#voteReply(',
      ),
    ],
    foundBy: [simulator(5), model()],
  },
  {
    name: 'the promise is dropped when a term is adopted',
    patches: [
      patch(
        CORE,
        'this.#round = null;\n    this.peers.adopt(term);',
        'this.#round = null;\n    this.#promise.until = now;\n    this.peers.adopt(term);',
      ),
    ],
    foundBy: [simulator(6), model()],
  },
  {
    name: 'a promise lasts a little less than its L',
    patches: [
      patch(
        CORE,
        'this.#promise.until = now + promisedMs;',
        'this.#promise.until = now + promisedMs - 1000;',
      ),
    ],
    foundBy: [model()],
  },
  {
    name: 'no start wait: the promise is dropped at a restart',
    patches: [
      patch(
        CORE,
        'if (!this.peers.isAlone) this.#promise.until = now + Math.max(leaderTimeoutMs, this.#durable.promisedMs);',
        '',
      ),
    ],
    foundBy: [simulator(1), model({ crashes: 1 }), scenario('restart')],
  },
  {
    name: 'of two Ls the own one counts, not the greater',
    patches: [
      patch(
        CORE,
        'const promisedMs = Math.max(this.timing.leaderTimeoutMs, leaderTimeoutMs);',
        'const promisedMs = this.timing.leaderTimeoutMs;',
      ),
    ],
    foundBy: [simulator(1), model({ timeout: 1, longer: 1 }), scenario('unequal-l')],
  },
  {
    name: 'a restart forgets the largest L promised',
    patches: [
      patch(CORE, 'now + Math.max(leaderTimeoutMs, this.#durable.promisedMs);', 'now + leaderTimeoutMs;'),
    ],
    foundBy: [simulator(27), model({ timeout: 1, longer: 1, crashes: 1 })],
  },
  {
    name: 'a jump of the wall clock ends the promise',
    patches: [patch(CORE, 'this.#lease.age(ms);', 'this.#lease.age(ms);\n    this.#promise.until -= ms;')],
    foundBy: [simulator(41), scenario('wall-clock')],
  },
];
