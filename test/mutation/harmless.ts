/** Mutants that no test can kill, or that none should: the changed line and what it became, by the reason. */
const REASONS: Readonly<Record<string, readonly string[]>> = {
  'the first value of a lease is never looked at: `begin` comes before': [
    'src/core/lease.ts: #voters: readonly string[] = []; => #voters: readonly string[] = ["Stryker was here"];',
    'src/core/lease.ts: #isGained = false; => #isGained = true;',
    'src/core/lease.ts: #isOver = false; => #isOver = true;',
  ],
  'a place below 0 of a typed array takes nothing': [
    'src/core/lease.ts: if (at < 0 || sentAt > this.timeOf(now) || sentAt <= this.sentAt(ip)) return; => if (false || sentAt > this.timeOf(now) || sentAt <= this.sentAt(ip)) return;',
  ],
  'what is worked out anew from the same times is the same': [
    'src/core/lease.ts: if (at < 0 || sentAt > this.timeOf(now) || sentAt <= this.sentAt(ip)) return; => if (at < 0 || sentAt > this.timeOf(now) || sentAt < this.sentAt(ip)) return;',
  ],
};

export const HARMLESS: ReadonlySet<string> = new Set(Object.values(REASONS).flat());
