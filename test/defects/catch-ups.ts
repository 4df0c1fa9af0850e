import { CATCH_UP, DATUMS, type Defect, patch, REGISTRY, registry, SNAPSHOT, scenario } from './defect.js';

/** How a peer that history does not reach takes over a whole base (protocol, section 4, catching up). */
export const CATCH_UPS: readonly Defect[] = [
  {
    name: 'a base goes backwards',
    patches: [
      patch(REGISTRY, 'if (seq <= this.datums.base.seq || this.datums.holds', 'if (this.datums.holds'),
      patch(DATUMS, "assert(base.revision.seq > this.#base.seq, 'a base never goes backwards');", ''),
    ],
    foundBy: [registry(3)],
  },
  {
    name: 'what is caught up is put into the base in place',
    patches: [
      patch(
        CATCH_UP,
        '        this.#staged.set(datum.key, datum);',
        '        {\n          this.#staged.set(datum.key, datum);\n          (this.#datums.all() as Map<string, StoredDatum>).set(datum.key, datum);\n        }',
      ),
    ],
    foundBy: [registry(2)],
  },
  {
    name: 'a peer catches up by a base that moves, and takes whatever comes',
    patches: [
      patch(SNAPSHOT, 'if (!this.#former.has(key)) this.#former.set(', 'if (key === null) this.#former.set('),
      patch(
        CATCH_UP,
        'if (datum !== undefined && sameRevision(datum.revision, listed.revision))',
        'if (datum !== undefined)',
      ),
    ],
    foundBy: [registry(2)],
  },
  {
    name: 'the revision of a catch-up is older than its data',
    patches: [
      patch(
        DATUMS,
        'this.#pinned = new Snapshot(this.#base, ',
        'this.#pinned = new Snapshot(this.at(this.#base.seq - 1) ?? this.#base, ',
      ),
    ],
    foundBy: [registry(2)],
  },
  {
    name: 'the tail is dropped when a catch-up begins',
    patches: [
      patch(
        REGISTRY,
        'this.#catchUp ??= new',
        'if (this.#catchUp === null && this.datums.last.seq > this.datums.base.seq) this.datums.cut(this.datums.base.seq + 1);\n    this.#catchUp ??= new',
      ),
    ],
    foundBy: [scenario('registry-tail-kept')],
  },
  {
    name: 'the tail is dropped when a catch-up ends within it',
    patches: [patch(REGISTRY, ' || this.datums.holds(base.revision)) {', ') {')],
    foundBy: [scenario('registry-tail-kept-behind')],
  },
  {
    name: 'the tail is kept when a catch-up ends behind another batch',
    patches: [
      patch(REGISTRY, ' || this.datums.holds(base.revision)) {', ' || this.datums.last.seq >= seq) {'),
    ],
    foundBy: [scenario('registry-tail-replaced')],
  },
  {
    name: 'the floor of the timestamps is left out of a catch-up',
    patches: [patch(CATCH_UP, 'this.#stampFloor = stampFloor;', 'this.#stampFloor = 0 * stampFloor;')],
    foundBy: [registry(2)],
  },
];
