import { set, svg, write } from './dom.js';
import type { PeerView, Picture } from './picture.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The radii of a peer, of the arc of its lease, and of what a click hits. */
export const PEER_R = 31;
const ARC_R = 40;
const HIT_R = 48;

const MODE_TEXT: Readonly<Record<PeerView['mode'], string>> = {
  down: 'down',
  follower: 'follower',
  candidate: 'candidate',
  elected: 'elected',
  leads: 'leads',
};

/** One peer in the circle: its state, and an arc for its lease, or for how long it is bound to a leader. */
export class PeerMark {
  readonly element: SVGGElement;
  readonly #arc = svg('circle', { class: 'arc', r: ARC_R, pathLength: 100, transform: 'rotate(-90)' });
  readonly #name = svg('text', { class: 'name', y: 3 });
  readonly #term = svg('text', { class: 'term', y: 19 });
  readonly #mode = svg('text', { class: 'mode', y: HIT_R + 9 });
  readonly #answer = svg('text', { class: 'answer', y: HIT_R + 22 });

  constructor(ip: string, { x, y }: Point, select: () => void) {
    this.element = svg('g', {
      class: 'peer',
      tabindex: 0,
      role: 'button',
      transform: `translate(${x} ${y})`,
    });
    write(this.#name, ip);
    this.element.append(
      svg('circle', { class: 'hit', r: HIT_R }),
      svg('circle', { class: 'rail', r: ARC_R }),
      this.#arc,
      svg('circle', { class: 'body', r: PEER_R }),
      svg('path', { class: 'bars', d: 'M-4 -25v10M4 -25v10' }),
      ...[this.#name, this.#term, this.#mode, this.#answer],
    );
    this.element.addEventListener('click', select);
    this.element.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      event.stopPropagation();
      select();
    });
  }

  draw(peer: PeerView, { leaseMs, leaderTimeoutMs }: Picture, isSelected: boolean): void {
    const { ip, mode, term, isStopped, isLeader, leaseLeftMs, boundMs } = peer;
    const text = isStopped ? `${MODE_TEXT[mode]}, stopped` : MODE_TEXT[mode];
    const share = leaseLeftMs > 0 ? leaseLeftMs / leaseMs : boundMs / leaderTimeoutMs;
    const arc = mode === 'down' && boundMs === 0 ? 0 : Math.min(100, share * 100);
    set(this.element, {
      'data-mode': mode,
      'data-stopped': String(isStopped),
      'data-leads': String(isLeader),
      'aria-pressed': String(isSelected),
      'aria-label': `${ip}: ${text}, term ${term}, isLeader() ${isLeader}`,
    });
    set(this.#arc, {
      'stroke-dasharray': `${arc.toFixed(2)} 200`,
      class: leaseLeftMs > 0 ? 'arc lease' : 'arc',
    });
    write(this.#term, mode === 'down' ? '' : `t${term}`);
    write(this.#mode, text);
    write(this.#answer, mode === 'down' ? '' : `isLeader() ${isLeader}`);
  }
}
