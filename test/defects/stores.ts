import { CORE, type Defect, DRIVER, model, patch, REJOIN, scenario, simulator } from './defect.js';

/** What waits for what (protocol, section 3, empty store; D4; the driver). */
export const STORES: readonly Defect[] = [
  {
    name: 'a wiped store votes at once',
    patches: [
      patch(
        CORE,
        'if (stored === null && this.peers.rules.promises) this.#rejoin',
        'if (stored === null && false) this.#rejoin',
      ),
    ],
    foundBy: [simulator(31), model({ timeout: 1, wipes: 1 }), scenario('wiped')],
  },
  {
    name: 'a wiped store accepts beats before it has recovered',
    patches: [patch(CORE, 'this.#checkRejoined();\n      this.#checkLeaderClaim', 'this.#checkLeaderClaim')],
    foundBy: [simulator(1), model({ timeout: 1, wipes: 1 }), scenario('wiped')],
  },
  {
    name: "a wiped store takes a plain majority's word",
    patches: [
      patch(REJOIN, 'peers.voters.length - peers.majorityCount() + 1)', 'peers.majorityCount() - 1)'),
    ],
    foundBy: [model({ timeout: 1, wipes: 1 }), scenario('wiped-majority-rival')],
  },
  {
    name: 'a wiped store asks before its start wait is over',
    patches: [patch(REJOIN, 'peers.isAlone ? now : now + timing.leaderTimeoutMs;', 'now;')],
    foundBy: [scenario('wiped-asks-early')],
  },
  {
    name: 'a wiped store votes again in the highest term that it hears of',
    patches: [
      patch(
        CORE,
        'this.#self.term = rejoin.highestTerm;\n    this.#self.voteFor = this.#self.ip;',
        'this.#self.term = rejoin.highestTerm;\n    this.#self.voteFor = null;',
      ),
    ],
    foundBy: [model({ wipes: 1 })],
  },
  {
    name: 'a save is not awaited',
    patches: [patch(DRIVER, 'await this.#save(output);', 'void this.#save(output);')],
    foundBy: [simulator(1)],
  },
  {
    name: 'a candidacy is sent before it is saved',
    patches: [patch(CORE, 'this.peers.campaign();\n    this.#save();', 'this.peers.campaign();')],
    foundBy: [model({ crashes: 1, lateSaves: true })],
  },
  {
    name: 'timers are handled before mail that waits',
    patches: [patch(DRIVER, 'this.#options.clock.afterMail(() => {', '((run: () => void) => run())(() => {')],
    foundBy: [simulator(1)],
  },
];
