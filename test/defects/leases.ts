import { FOUR_TERMS } from '../model/waypoints.js';
import { CORE, type Defect, LEASE, model, patch, scenario, simulator, TIMING } from './defect.js';

/** Who leads, and until when (protocol, section 3, lease). */
export const LEASES: readonly Defect[] = [
  {
    name: 'acknowledgements of an older term count',
    patches: [patch(CORE, ' && reply.requestTerm === this.#self.term', '')],
    foundBy: [model(FOUR_TERMS), scenario('old-acknowledgement')],
  },
  {
    name: 'the lease counts from the arrival of the answer',
    patches: [
      patch(
        CORE,
        'this.#lease.acknowledged(from, sentAt, now)',
        'this.#lease.acknowledged(from, this.#lease.timeOf(now), now)',
      ),
    ],
    foundBy: [simulator(54), model(), scenario('slow-answers')],
  },
  {
    name: 'the lease table is kept at election',
    patches: [
      patch(
        LEASE,
        'this.#sentAt = NEVER;\n    this.#lostAt = NEVER;\n    this.#electedAt',
        'this.#electedAt',
      ),
      patch(
        LEASE,
        'this.changeMembers(others, voters, needed);',
        'this.changeMembers(others, voters, needed);\n    if (needed > 0) this.#end = Number.NEGATIVE_INFINITY;',
      ),
    ],
    foundBy: [scenario('lease-table-kept-five')],
  },
  {
    name: 'the lease table and the end of the lease are kept at election',
    patches: [
      patch(
        LEASE,
        'this.#sentAt = NEVER;\n    this.#lostAt = NEVER;\n    this.#electedAt',
        'this.#electedAt',
      ),
    ],
    foundBy: [model(FOUR_TERMS), scenario('lease-table-kept')],
  },
  {
    name: 'isLeader is true again after its end',
    patches: [
      patch(
        LEASE,
        'if (!this.#isGained || this.#isOver) return false;',
        'if (!this.#isGained) return false;',
      ),
      patch(
        LEASE,
        'if (this.#isOver) return Number.NEGATIVE_INFINITY;\n    return this.#isGained ? this.#end - this.#aheadMs :',
        'return this.#isGained ? Number.POSITIVE_INFINITY :',
      ),
    ],
    foundBy: [simulator(1)],
  },
  {
    name: 'the lease is kept during a transfer',
    patches: [patch(CORE, 'this.#stepDown(now);\n    this.#makeWay(now);', 'this.#makeWay(now);')],
    foundBy: [simulator(1), model({ transfers: 1 }), scenario('transfer')],
  },
  {
    name: 'beats go on after the lease',
    patches: [
      patch(
        LEASE,
        'if (this.#isOver) return Number.NEGATIVE_INFINITY;\n    return this.#isGained ? this.#end - this.#aheadMs :',
        'return this.#isGained ? Number.POSITIVE_INFINITY :',
      ),
    ],
    foundBy: [simulator(1)],
  },
  {
    name: 'a leader votes within its lease',
    patches: [patch(LEASE, 'if (leaseLeftMs > 0) return false;', '')],
    foundBy: [simulator(5)],
  },
  {
    name: 'the lease takes no account of drift',
    patches: [
      patch(
        TIMING,
        'return (timing.leaderTimeoutMs * (1 - timing.clockDrift)) / (1 + timing.clockDrift);',
        'return timing.leaderTimeoutMs;',
      ),
    ],
    foundBy: [model({ timeout: 3, slowClocks: 2 })],
  },
  {
    name: 'a won election counts as a lease',
    patches: [
      patch(
        LEASE,
        'this.changeMembers(others, voters, needed);',
        'this.changeMembers(others, voters, needed);\n    this.#end = now + leaseMs(this.#timing);\n    this.#isGained = true;',
      ),
    ],
    foundBy: [model()],
  },
];
