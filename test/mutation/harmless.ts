/** Mutants that no test can tell from the original: the changed line and what it became, by the reason. */
const REASONS: Readonly<Record<string, readonly string[]>> = {
  'the first values of a lease are never looked at: `begin` comes before': [
    'src/core/lease.ts: #others: readonly string[] = []; => #others: readonly string[] = ["Stryker was here"];',
    'src/core/lease.ts: #voters: readonly number[] = []; => #voters: readonly number[] = ["Stryker was here"];',
    'src/core/lease.ts: #isGained = false; => #isGained = true;',
    'src/core/lease.ts: #isOver = false; => #isOver = true;',
  ],
  'it is set before it is looked at': [
    'src/core/peer-set.ts: #isLeaderFresh = false; => #isLeaderFresh = true;',
    'src/core/peer-set.ts: #isMember = false; => #isMember = true;',
    'src/core/ranking.ts: #term = -1; => #term = +1;',
  ],
  'one more than there are to look at only costs a look': [
    'src/core/peer-set.ts: this.#markedLeaders = this.#heardOf().filter((peer) => this.#isMarked(peer)).length; => this.#markedLeaders = this.#heardOf().length;',
    'src/core/peer-set.ts: if (this.#isMarked(peer)) this.#markedLeaders--; => if (false) this.#markedLeaders--;',
    'src/core/peer-set.ts: if (this.#isMarked(peer)) this.#markedLeaders--; => if (this.#isMarked(peer)) this.#markedLeaders++;',
    "src/core/peer-set.ts: if (state === 'LEADER') this.#markedLeaders++; => if (true) this.#markedLeaders++;",
  ],
  'where there is nothing, nothing is taken away': [
    'src/core/peer-set.ts: for (const ip of this.#votes ?? []) if (!this.contains(ip)) this.#votes?.delete(ip); => for (const ip of this.#votes ?? ["Stryker was here"]) if (!this.contains(ip)) this.#votes?.delete(ip);',
    'src/core/peer-set.ts: for (const ip of this.#fetching?.keys() ?? []) if (!this.contains(ip)) this.#fetching?.delete(ip); => for (const ip of this.#fetching?.keys() ?? ["Stryker was here"]) if (!this.contains(ip)) this.#fetching?.delete(ip);',
  ],
  'JSON leaves out what is undefined': [
    'src/core/members.ts: return [...members, { ip, priority, observer: true, ...(learner === undefined ? {} : { learner }) }]; => return [...members, { ip, priority, observer: true, ...(false ? {} : { learner }) }];',
  ],
  'the lease of one that does not lead is never looked at': [
    "src/core/core.ts: if (this.#self.state === 'LEADER') => if (true)",
  ],
  'a leader whose own removal is committed neither sends nor campaigns': [
    "src/core/core.ts: if (this.#self.state !== 'LEADER') return; => if (false) return;",
  ],
  'what is worked out anew from the same is the same': [
    'src/core/lease.ts: if (sentAt > newest && this.#hasEnough(sentAt)) newest = sentAt; => if (sentAt >= newest && this.#hasEnough(sentAt)) newest = sentAt;',
    'src/core/peer-set.ts: if (known.state !== peer.state) this.#mark(known, peer.state); => if (true) this.#mark(known, peer.state);',
    'src/core/core.ts: const isHeard = (isStranger || !this.peers.isSelfListed) && this.#isNewcomer(ip, membersRevision); => const isHeard = (true) && this.#isNewcomer(ip, membersRevision);',
    'src/core/lease.ts: if (sentAt <= this.sentAt(ip) || sentAt <= this.#lostAtOf(ip)) return; => if (sentAt < this.sentAt(ip) || sentAt <= this.#lostAtOf(ip)) return;',
    'src/core/ranking.ts: if (this.#term !== self.term || this.#lastLeader !== leaderIp || this.#voters !== voters) { => if (true) {',
    'src/node/clock.ts: if (gainedMs > GRAIN_MS || gainedMs < 0) this.#wallAheadMs = wallAheadMs; => if (gainedMs > GRAIN_MS || gainedMs <= 0) this.#wallAheadMs = wallAheadMs;',
  ],
  'the case of equality was dealt with on the line before, or in the same one': [
    'src/core/ranking.ts: if (a.priority !== b.priority) return a.priority > b.priority; => if (a.priority !== b.priority) return a.priority >= b.priority;',
    'src/core/ranking.ts: return byHash === 0 ? a.ip < b.ip : byHash < 0; => return byHash === 0 ? a.ip < b.ip : byHash <= 0;',
  ],
  'it only saves work': [
    'src/core/peer-set.ts: return heard ?? (this.#freshDues === undefined ? null : this.#fresh(ip)); => return heard ?? (false ? null : this.#fresh(ip));',
    'src/core/peer-set.ts: return this.#isMember && !this.#isChange(peer); => return false;',
    'src/core/peer-set.ts: if (this.#markedLeaders > marked) this.#askFormerLeaders(leader.ip); => if (true) this.#askFormerLeaders(leader.ip);',
    'src/core/peer-set.ts: if (this.#markedLeaders > marked) this.#askFormerLeaders(leader.ip); => if (this.#markedLeaders >= marked) this.#askFormerLeaders(leader.ip);',
    'src/core/pinned-base.ts: if (this.#pinned === null) return; => if (false) return;',
    'src/core/registry.ts: if (this.#afterSave.length === 0) return this.#afterSave; => if (false) return this.#afterSave;',
    'src/core/snapshot.ts: while (this.#listed.length < from + count && this.#listed.length < this.total) this.#listNext(); => while (true && this.#listed.length < this.total) this.#listNext();',
    'src/core/snapshot.ts: while (this.#listed.length < from + count && this.#listed.length < this.total) this.#listNext(); => while (this.#listed.length <= from + count && this.#listed.length < this.total) this.#listNext();',
    'src/core/core.ts: this.peers.update(reply.ip === from ? reply : { ...reply, ip: from }); => this.peers.update(false ? reply : { ...reply, ip: from });',
    'src/node/forwarder.ts: if (this.#waiting.length === 1) queueMicrotask(() => this.#sendOn()); => if (true) queueMicrotask(() => this.#sendOn());',
    'src/node/fields.ts: if (items.length === 0) return []; => if (false) return [];',
    'src/node/driver.ts: if (this.#events.length === 0) return; => if (false) return;',
    'src/node/driver.ts: if (outputs.length > 0) return this.#carryOutAll(mail, outputs); => if (outputs.length >= 0) return this.#carryOutAll(mail, outputs);',
    'src/node/driver.ts: if (due >= this.#alarmAt) return; => if (due > this.#alarmAt) return;',
    'src/node/driver.ts: if (due >= this.#alarmAt) return; => if (false) return;',
    'src/node/driver.ts: if (outputs.length > 0) return this.#carryOutAll(mail, outputs); => if (true) return this.#carryOutAll(mail, outputs);',
    'src/node/driver.ts: const othersWait = this.#writes.length > 0; => const othersWait = false;',
    'src/node/driver.ts: if (!othersWait && this.#writes.length > 0) queueMicrotask(() => this.#postWrites()); => if (true) queueMicrotask(() => this.#postWrites());',
    'src/node/driver.ts: if (!othersWait && this.#writes.length > 0) queueMicrotask(() => this.#postWrites()); => if (!othersWait || this.#writes.length > 0) queueMicrotask(() => this.#postWrites());',
    'src/node/driver.ts: if (!othersWait && this.#writes.length > 0) queueMicrotask(() => this.#postWrites()); => if (!othersWait && true) queueMicrotask(() => this.#postWrites());',
    'src/node/driver.ts: if (!othersWait && this.#writes.length > 0) queueMicrotask(() => this.#postWrites()); => if (!othersWait && this.#writes.length >= 0) queueMicrotask(() => this.#postWrites());',
  ],
  'nothing was listed, nothing is missing: the types do not know it': [
    'src/core/catch-up.ts: if (this.#at === null || this.#staged.size < this.#total) return null; => if (false || this.#staged.size < this.#total) return null;',
    'src/core/catch-up.ts: while (this.#at !== null && this.#missing.length > 0 && this.#open.size < MAX_OPEN) { => while (true && this.#missing.length > 0 && this.#open.size < MAX_OPEN) {',
    'src/core/catch-up.ts: if (!this.#close(asked) || this.#at === null || !sameRevision(at, this.#at)) return; => if (!this.#close(asked) || false || !sameRevision(at, this.#at)) return;',
  ],
  'keys are asked for before values: never both': [
    "src/core/catch-up.ts: if (request.type === 'keys') this.#isListing = false; => if (true) this.#isListing = false;",
  ],
  'a leader that has committed a batch of its own holds a list of members': [
    'src/core/registry.ts: if (!this.isCurrent || isChangingMembers || members === null) => if (!this.isCurrent || isChangingMembers || false)',
  ],
  'an op of the tail is noted until it is folded': [
    'src/core/datums.ts: if (this.#tailOps.get(key)?.op === op) this.#tailOps.delete(key); => if (this.#tailOps.get(key).op === op) this.#tailOps.delete(key);',
  ],
  'the list of members is never removed: the types do not know it': [
    'src/core/datums.ts: if (waiting !== undefined) return { value: waiting.op.value ?? \'[]\', revision: waiting.revision }; => if (waiting !== undefined) return { value: waiting.op.value ?? "", revision: waiting.revision };',
  ],
  'a base that is as far as the own one is the same, and there is nothing to fold': [
    'src/core/registry.ts: if (seq <= this.datums.base.seq || this.datums.holds(base.revision)) { => if (seq < this.datums.base.seq || this.datums.holds(base.revision)) {',
  ],
  'one that does not lead has nothing of a leader to give up': [
    'src/core/registry.ts: if (this.#ownSince === Number.POSITIVE_INFINITY) return; => if (false) return;',
  ],
  'a field that is null counts as absent, and a null within a value is JSON by itself': [
    "src/node/fields.ts: if (typeof value !== 'object' || value === null) return false; => if (typeof value !== 'object' || false) return false;",
  ],
  'no input breaks what is asserted': [
    "src/core/snapshot.ts: assert(done !== true || this.#listed.length === this.total, 'each datum of a snapshot is listed once'); => assert(true, 'each datum of a snapshot is listed once');",
  ],
  'only a signal calls it': [
    'src/node/leadership.ts: const abort = (): void => settle(() => reject(aborted(signal?.reason))); => const abort = (): void => settle(() => reject(aborted(signal.reason)));',
  ],
  'who resigns looks at the fate of its order before anything else is sent': [
    "src/node/driver.ts: if (request.type !== 'transfer') this.#exchange(to, request, ignore); => if (false) this.#exchange(to, request, ignore);",
  ],
  'of an id only that it is new is looked at': ['src/node/driver.ts: this.#lastCall++; => this.#lastCall--;'],
  'a field that is undefined does not travel, and is none where it stays': [
    "src/node/registry-client.ts: await this.#change({ action: 'add', ip, priority, ...(learner === undefined ? {} : { learner }) }); => await this.#change({ action: 'add', ip, priority, ...(false ? {} : { learner }) });",
  ],
  'that a beat without data was not answered says nothing that the lease does not': [
    'src/node/driver.ts: (ip, error) => this.#lacksReply(ip, request, error, ignore), => () => undefined,',
  ],
  'who leads has announced no other leader': [
    'src/node/node.ts: this.#leading.made(leader, leader.ip === this.ip && this.isLeader()); => this.#leading.made(leader, true && this.isLeader());',
  ],
  'only the log tells it': [
    "src/node/node.ts: this.#lifecycle.stop(() => this.#shutDown()).catch((cause: unknown) => debug('while closing: %s', cause)); => this.#lifecycle.stop(() => this.#shutDown()).catch(() => undefined);",
  ],
  'only whether it changed is looked at': [
    'src/node/leading.ts: this.#stops++; => this.#stops--;',
    'src/node/holds.ts: this.#following++; => this.#following--;',
  ],
  'no id is asked for that is not a number': [
    'src/core/rejoin.ts: const ids = this.#replies().flatMap(({ rejoinId }) => (rejoinId === undefined ? [] : [rejoinId])); => const ids = this.#replies().flatMap(({ rejoinId }) => (false ? [] : [rejoinId]));',
    'src/core/rejoin.ts: const ids = this.#replies().flatMap(({ rejoinId }) => (rejoinId === undefined ? [] : [rejoinId])); => const ids = this.#replies().flatMap(({ rejoinId }) => (rejoinId === undefined ? ["Stryker was here"] : [rejoinId]));',
  ],
};

export const HARMLESS: ReadonlySet<string> = new Set(Object.values(REASONS).flat());
