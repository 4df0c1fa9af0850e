import {
  DATUMS,
  type Defect,
  FORWARDER,
  FORWARDS,
  patch,
  REGISTRY,
  registry,
  scenario,
  WRITES,
} from './defect.js';

/** What callers are told of their writes and reads (protocol, section 4, reads; writes). */
export const WRITTEN: readonly Defect[] = [
  {
    name: 'a leader reads before a batch of its own term is folded',
    patches: [
      patch(REGISTRY, 'if (!this.hasReads || !this.isCurrent) return;', 'if (!this.hasReads) return;'),
    ],
    foundBy: [registry(3)],
  },
  {
    name: 'conditions are judged on the base alone',
    patches: [
      patch(WRITES, 'const present = this.#datums.newest(key);', 'const present = this.#datums.get(key);'),
    ],
    foundBy: [registry(2)],
  },
  {
    name: 'a failed condition is told before it is certain',
    patches: [
      patch(
        WRITES,
        'this.#wait(revision.seq, { id, result, isBatched: false });',
        "this.#output({ type: 'answer', id, result });",
      ),
    ],
    foundBy: [registry(10), scenario('registry-nothing-to-remove')],
  },
  {
    name: 'that there is nothing to remove is told before it is certain',
    patches: [
      patch(
        WRITES,
        'this.#wait(revision.seq, { id, result: { timestamp: null, revision }, isBatched: false });',
        "this.#output({ type: 'answer', id, result: { timestamp: null, revision } });",
      ),
    ],
    foundBy: [scenario('registry-nothing-to-remove')],
  },
  {
    name: 'a timestamp comes back',
    patches: [patch(WRITES, '?? this.#datums.stampFloor) + 1', '?? 0) + 1')],
    foundBy: [registry(2)],
  },
  {
    name: 'removals that wait do not raise the floor of the timestamps',
    patches: [patch(DATUMS, 'this.#tailFloor = floorAfter(this.#tailFloor, op);', '')],
    foundBy: [registry(2)],
  },
  {
    name: 'a batched write fails for certain when the leader changes',
    patches: [patch(WRITES, 'isBatched ? outcomeUnknown() : noLeader()', 'noLeader()')],
    foundBy: [registry(2), scenario('registry-forward-again')],
  },
  {
    name: 'a write is answered before it is committed',
    patches: [
      patch(
        WRITES,
        'this.#wait(next.seq, { id, result: { timestamp, revision: next }, isBatched: true });',
        "this.#output({ type: 'answer', id, result: { timestamp, revision: next } });",
      ),
    ],
    foundBy: [registry(2)],
  },
  {
    name: 'a forward is sent again',
    patches: [
      patch(
        FORWARDER,
        `const outcomes = await askOnce(driver, ip, request, deadlineMs, (raw) =>
      decodeWritesReply(raw, writes.length),
    );`,
        `const decode = (raw: unknown) => decodeWritesReply(raw, writes.length);
    const again = () => ({ ...request, writes: writes.map((write) => ({ number: ++this.#number, ...write })) });
    const outcomes = await askOnce(driver, ip, request, 50, decode).catch(() =>
      askOnce(driver, ip, again(), deadlineMs, decode),
    );`,
      ),
    ],
    foundBy: [registry(2)],
  },
  {
    name: 'a copy of a forward counts once more',
    patches: [patch(REGISTRY, 'if (this.isRepeated(write)) return false;', '')],
    foundBy: [registry(2), scenario('registry-forward-again')],
  },
  {
    name: 'a copy of a forward is refused for certain once this peer leads no longer',
    patches: [patch(REGISTRY, 'if (this.isRepeated(write)) continue;', 'if (write.id < 0) continue;')],
    foundBy: [scenario('registry-forward-again')],
  },
  {
    name: 'a leader takes forwards that are meant for an earlier term',
    patches: [patch(FORWARDS, 'return term !== this.#term || ', 'return ')],
    foundBy: [scenario('registry-forward-again')],
  },
  {
    name: 'a process that did not lead the term of a forward refuses it for certain',
    patches: [
      patch(
        FORWARDS,
        'return term !== this.#term || ',
        'return (this.#term !== null && term < this.#term) || ',
      ),
    ],
    foundBy: [registry(122)],
  },
  {
    name: 'a forward that a stop cuts off fails for certain',
    patches: [
      patch(
        FORWARDER,
        "throw cause.code === 'TOO_LARGE' ? cause",
        "throw cause.code === 'TOO_LARGE' || cause.code === 'NOT_RUNNING' ? cause",
      ),
    ],
    foundBy: [registry(2)],
  },
  {
    name: 'a forward that is not answered fails for certain',
    patches: [
      patch(
        FORWARDER,
        "throw cause.code === 'TOO_LARGE' ? cause",
        "throw cause.code === 'TOO_LARGE' || cause.code === 'TIMEOUT' ? cause",
      ),
    ],
    foundBy: [registry(5)],
  },
];
