import {
  BEATS,
  type Defect,
  FOLLOWER_HOST,
  groups,
  HOST_DRIVER,
  LEADER_HOST,
  patch,
  SEAT,
} from './defect.js';
import type { Patch } from './patches.js';

/** Gives the beats a clock that tells nobody of what it gained. */
const RAW_CLOCK: Patch = patch(
  HOST_DRIVER,
  'aheadMs: () => this.#aheadMs,',
  'aheadMs: () => this.#aheadMs, clock,',
);

/** How one message stands for the beats of many groups (`src/host`). */
export const HOSTS: readonly Defect[] = [
  {
    name: 'an answer of a host counts though it holds another list than the one sent',
    patches: [
      patch(
        FOLLOWER_HOST,
        'return version === sentVersion && sentAt >= this.sentAt;',
        'return sentAt >= this.sentAt;',
      ),
    ],
    foundBy: [groups()],
  },
  {
    name: 'a host that holds another list than the one sent says that it is this one',
    patches: [
      patch(
        BEATS,
        'sentAt: beats.sentAt, version, refused',
        'sentAt: beats.sentAt, version: beats.version, refused',
      ),
    ],
    foundBy: [groups()],
  },
  {
    name: 'a refused group counts as accepted',
    patches: [
      patch(
        BEATS,
        'const refused = new Set(reply.refused.map(({ group }) => group));',
        'const refused = new Set<string>();',
      ),
    ],
    foundBy: [groups()],
  },
  {
    name: 'a group that voted in a higher term still follows',
    patches: [patch(BEATS, '!isFollowing(seat, seat.follows)) {', 'seat.core.peers.self.term < 0) {')],
    foundBy: [groups()],
  },
  {
    name: 'the newest beat is not told before a request',
    patches: [patch(SEAT, 'this.#host.tell(this);\n    if (!this.#isOpen)', 'if (!this.#isOpen)')],
    foundBy: [groups()],
  },
  {
    name: 'the newest beat is not told before the list of its sender changes',
    patches: [
      patch(
        BEATS,
        'if (seat?.follows === leader) {\n      this.tell(seat);',
        'if (seat?.follows === leader) {',
      ),
    ],
    foundBy: [groups()],
  },
  {
    name: 'a beat has a number before the cores are told of what the clock gained',
    patches: [
      patch(BEATS, 'const now = this.#options.now();\n    const isCurrent', 'const isCurrent'),
      patch(
        BEATS,
        'this.#news++;\n      leader.accepted(beats, now, this.#news);',
        'this.#news++;\n      leader.accepted(beats, this.#options.now(), this.#news);',
      ),
    ],
    foundBy: [groups()],
  },
  {
    name: 'answers and beats go on after the lease has ended',
    patches: [
      patch(HOST_DRIVER, 'endLeases: (now) => this.#look(this.#leases, now),', 'endLeases: () => {},'),
    ],
    foundBy: [groups()],
  },
  {
    name: 'a lease is looked at as if the wall clock had gained nothing',
    patches: [
      patch(HOST_DRIVER, 'wallClockGained(ms);\n      this.#schedule(seat);', 'wallClockGained(ms);'),
    ],
    foundBy: [groups()],
  },
  {
    name: 'an answer counts for a group that was elected after its beat',
    patches: [
      patch(
        BEATS,
        'if (seat.ledVersion === 0 || seat.ledVersion > sent.version || refused',
        'if (seat.ledVersion === 0 || refused',
      ),
    ],
    foundBy: [groups()],
  },
  {
    name: 'what a host acknowledged counts for a group that is elected later',
    patches: [patch(BEATS, 'for (const { apart } of this.followers) apart.add(seat);', '')],
    foundBy: [groups()],
  },
  {
    name: 'the list of a host is kept when another process of it begins its own',
    patches: [
      patch(
        LEADER_HOST,
        'if (beats.process !== this.#process) this.#forget(beats.process, leave);',
        'if (this.#process < 0) this.#forget(beats.process, leave);',
      ),
    ],
    foundBy: [groups()],
  },
  {
    name: 'a group that was led in another term stays on the list of its follower as it was',
    patches: [
      patch(
        LEADER_HOST,
        'if (this.#terms.get(group) === term) continue;',
        'if (this.#terms.has(group)) continue;',
      ),
    ],
    foundBy: [groups()],
  },
  {
    name: 'beats go on for a group that stepped down',
    patches: [patch(BEATS, "if (seat.ledVersion > 0 && self.state !== 'LEADER') this.unlead(seat);", '')],
    foundBy: [groups()],
  },
  {
    name: 'a save of a group is not awaited',
    patches: [patch(SEAT, 'await this.#host.save(this, output);', 'void this.#host.save(this, output);')],
    foundBy: [groups()],
  },
  {
    name: 'groups that are led are not told of what the wall clock gained',
    patches: [
      patch(
        HOST_DRIVER,
        'seat.core.wallClockGained(ms);\n',
        'if (seat.ledVersion === 0) seat.core.wallClockGained(ms);\n',
      ),
    ],
    foundBy: [groups()],
  },
  {
    name: 'groups that are not led are not told of what the wall clock gained',
    patches: [
      patch(
        HOST_DRIVER,
        'seat.core.wallClockGained(ms);\n',
        'if (seat.ledVersion > 0) seat.core.wallClockGained(ms);\n',
      ),
    ],
    foundBy: [groups()],
  },
  {
    name: 'an answer counts from when it is told to the core',
    patches: [
      RAW_CLOCK,
      patch(
        BEATS,
        'follower.replyOf(core.peers.self.term), follower.answeredAt);',
        'follower.replyOf(core.peers.self.term), this.#options.clock.now());',
      ),
    ],
    foundBy: [groups()],
  },
  {
    name: 'the core is told a beat as if it had come when it was sent',
    patches: [
      patch(
        BEATS,
        'core.receivedBeat(follows.beatOf(seat.name), follows.beatAt);',
        'core.receivedBeat(follows.beatOf(seat.name), follows.beatAt - 20);',
      ),
    ],
    foundBy: [groups()],
  },
];
