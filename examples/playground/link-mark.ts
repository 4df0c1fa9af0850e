import { set, svg } from './dom.js';
import { PEER_R, type Point } from './peer-mark.js';
import type { LinkFault, Picture } from './picture.js';

/** How far the two ways of a link are apart. */
const APART = 3;

const FAULTS: readonly LinkFault[] = ['cut', 'lossy', 'slow'];

/** Both ways between two peers, each a line of its own. */
export class LinkMark {
  readonly element: SVGGElement;
  readonly #ways: readonly { readonly from: string; readonly to: string; readonly line: SVGLineElement }[];

  constructor(ips: readonly [string, string], points: readonly [Point, Point], select: () => void) {
    const [one, other] = ips;
    const [a, b] = points;
    this.element = svg('g', { class: 'link' });
    this.#ways = [
      { from: one, to: other, line: svg('line', wayBetween(a, b)) },
      { from: other, to: one, line: svg('line', wayBetween(b, a)) },
    ];
    const hit = svg('line', { class: 'hit', x1: a.x, y1: a.y, x2: b.x, y2: b.y });
    this.element.append(...this.#ways.map(({ line }) => line), hit);
    this.element.addEventListener('click', select);
  }

  draw(picture: Picture, isSelected: boolean): void {
    set(this.element, { 'data-selected': String(isSelected) });
    for (const { from, to, line } of this.#ways)
      set(line, { class: FAULTS.find((fault) => picture.hasFault(fault, from, to)) ?? 'fair' });
  }
}

/** A way keeps to its right, and ends where the peers begin. */
export function wayBetween(from: Point, to: Point): Record<'x1' | 'y1' | 'x2' | 'y2', number> {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const dx = (to.x - from.x) / length;
  const dy = (to.y - from.y) / length;
  const round = (value: number): number => Math.round(value * 100) / 100;
  return {
    x1: round(from.x + dx * PEER_R - dy * APART),
    y1: round(from.y + dy * PEER_R + dx * APART),
    x2: round(to.x - dx * PEER_R - dy * APART),
    y2: round(to.y - dy * PEER_R + dx * APART),
  };
}
