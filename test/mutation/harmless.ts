/** Mutants that no test can tell from the original: the changed line and what it became, by the reason. */
const REASONS: Readonly<Record<string, readonly string[]>> = {
  'the first values of a lease are never looked at: `begin` comes before': [
    'src/core/lease.ts: #voters: readonly string[] = []; => #voters: readonly string[] = ["Stryker was here"];',
    'src/core/lease.ts: #isGained = false; => #isGained = true;',
    'src/core/lease.ts: #isOver = false; => #isOver = true;',
  ],
  'a place below 0 of a typed array takes nothing': [
    'src/core/lease.ts: if (at < 0 || sentAt > this.timeOf(now) || sentAt <= this.sentAt(ip)) return; => if (false || sentAt > this.timeOf(now) || sentAt <= this.sentAt(ip)) return;',
  ],
  'what is worked out anew from the same is the same': [
    'src/core/lease.ts: if (at < 0 || sentAt > this.timeOf(now) || sentAt <= this.sentAt(ip)) return; => if (at < 0 || sentAt > this.timeOf(now) || sentAt < this.sentAt(ip)) return;',
    'src/core/ranking.ts: if (this.#term !== self.term || this.#lastLeader !== leaderIp) { => if (true) {',
  ],
  'the case of equality was dealt with on the line before, or in the same one': [
    'src/core/ranking.ts: if (a.priority !== b.priority) return a.priority > b.priority; => if (a.priority !== b.priority) return a.priority >= b.priority;',
    'src/core/ranking.ts: return byHash === 0 ? a.ip < b.ip : byHash < 0; => return byHash === 0 ? a.ip < b.ip : byHash <= 0;',
  ],
  'only whether it changed is looked at': ['src/node/node.ts: this.#stops++; => this.#stops--;'],
  'no id is asked for that is not a number': [
    'src/core/rejoin.ts: return new Set(this.#replies().flatMap(({ rejoinId }) => (rejoinId === undefined ? [] : [rejoinId]))); => return new Set(this.#replies().flatMap(({ rejoinId }) => (false ? [] : [rejoinId])));',
    'src/core/rejoin.ts: return new Set(this.#replies().flatMap(({ rejoinId }) => (rejoinId === undefined ? [] : [rejoinId]))); => return new Set(this.#replies().flatMap(({ rejoinId }) => (rejoinId === undefined ? ["Stryker was here"] : [rejoinId])));',
  ],
};

export const HARMLESS: ReadonlySet<string> = new Set(Object.values(REASONS).flat());
