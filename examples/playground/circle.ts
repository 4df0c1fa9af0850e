import type { Selection } from './choices.js';
import { set, svg } from './dom.js';
import { LinkMark, wayBetween } from './link-mark.js';
import { PeerMark, type Point } from './peer-mark.js';
import { isUnderWay, type MessageView, type Picture, progressOf } from './picture.js';

/** Where the peers may stand: around it there is room for arcs and names. */
const BOX = { left: 60, right: 340, top: 52, bottom: 348 };
/** How many times higher than wide the circle may be. */
const MAX_HEIGHT = 1.15;
/** So long after it was lost a message is still to be seen, in ms. */
const GONE_MS = 12;

/** The cluster in a circle: peers, the links between them, and the messages on their way. */
export class Circle {
  readonly #select: (selection: Selection) => void;
  readonly #links = svg('g');
  readonly #messages = svg('g');
  readonly #peers = svg('g');
  #points = new Map<string, Point>();
  #linkMarks = new Map<string, LinkMark>();
  #peerMarks = new Map<string, PeerMark>();
  readonly #messageMarks = new Map<number, SVGGElement>();

  constructor(element: SVGSVGElement, select: (selection: Selection) => void) {
    this.#select = select;
    element.append(this.#links, this.#peers, this.#messages);
  }

  draw(picture: Picture, selection: Selection): void {
    const ips = picture.peers.map(({ ip }) => ip);
    if (ips.join() !== [...this.#points.keys()].join()) this.#place(ips);
    for (const [id, mark] of this.#linkMarks)
      mark.draw(picture, selection?.type === 'link' && selection.id === id);
    for (const peer of picture.peers)
      this.#peerMarks
        .get(peer.ip)
        ?.draw(peer, picture, selection?.type === 'peer' && selection.id === peer.ip);
    this.#drawMessages(picture, selection);
  }

  #place(ips: readonly string[]): void {
    this.#points = new Map(placesOf(ips.length).map((point, at) => [ips[at] ?? '', point]));
    const placed = [...this.#points];
    this.#peerMarks = new Map(
      placed.map(([ip, point]) => [
        ip,
        new PeerMark(ip, point, () => this.#select({ type: 'peer', id: ip })),
      ]),
    );
    this.#linkMarks = new Map(
      placed.flatMap(([one, a], at) =>
        placed.slice(at + 1).map(([other, b]) => {
          const id = `${one}-${other}`;
          return [id, new LinkMark([one, other], [a, b], () => this.#select({ type: 'link', id }))] as const;
        }),
      ),
    );
    this.#links.replaceChildren(...[...this.#linkMarks.values()].map(({ element }) => element));
    this.#peers.replaceChildren(...[...this.#peerMarks.values()].map(({ element }) => element));
  }

  #drawMessages(picture: Picture, selection: Selection): void {
    const { now } = picture;
    const seen = picture.messages.filter(
      (message) => isUnderWay(message, now) || (message.lostAt <= now && now < message.lostAt + GONE_MS),
    );
    const numbers = new Set(seen.map(({ number }) => number));
    for (const [number, mark] of this.#messageMarks) {
      if (numbers.has(number)) continue;
      mark.remove();
      this.#messageMarks.delete(number);
    }
    for (const message of seen)
      this.#drawMessage(
        message,
        now,
        selection?.type === 'message' && selection.id === String(message.number),
      );
  }

  #drawMessage(message: MessageView, now: number, isSelected: boolean): void {
    const from = this.#points.get(message.from);
    const to = this.#points.get(message.to);
    if (from === undefined || to === undefined) return;
    const mark = this.#messageMarks.get(message.number) ?? this.#addMark(message);
    const { x1, y1, x2, y2 } = wayBetween(from, to);
    const share = progressOf(message, Math.min(now, message.lostAt));
    const x = (x1 + (x2 - x1) * share).toFixed(1);
    const y = (y1 + (y2 - y1) * share).toFixed(1);
    set(mark, {
      transform: `translate(${x} ${y})`,
      'data-lost': String(message.lostAt <= now),
      'data-selected': String(isSelected),
    });
  }

  #addMark({ number, from, to, kind, text }: MessageView): SVGGElement {
    const mark = svg('g', { class: 'message', 'data-kind': kind });
    const title = svg('title');
    title.textContent = `${from} → ${to}: ${text}`;
    mark.append(
      svg('circle', { class: 'hit', r: 12 }),
      svg('circle', { class: 'dot', r: kind === 'yes' || kind === 'no' ? 4 : 6 }),
      svg('path', { class: 'cross', d: 'M-5 -5L5 5M-5 5L5 -5' }),
      title,
    );
    mark.addEventListener('click', () => this.#select({ type: 'message', id: String(number) }));
    this.#messageMarks.set(number, mark);
    this.#messages.append(mark);
    return mark;
  }
}

/** So many places in a circle, the first at the top, as far apart as there is room: it may be higher than wide. */
function placesOf(count: number): readonly Point[] {
  const round = Array.from({ length: count }, (_, at) => (2 * Math.PI * at) / count);
  const points = round.map((angle) => ({ x: Math.sin(angle), y: -Math.cos(angle) }));
  const lowest = Math.max(...points.map(({ y }) => y));
  const widest = Math.max(...points.map(({ x }) => x));
  const { left, right, top, bottom } = BOX;
  const across = (right - left) / 2 / Math.max(widest, 0.8);
  const down = Math.min((bottom - top) / (1 + Math.max(lowest, 0)), across * MAX_HEIGHT);
  const middle = (top + bottom) / 2 + (down * (1 - lowest)) / 2;
  return points.map(({ x, y }) => ({ x: (left + right) / 2 + across * x, y: middle + down * y }));
}
