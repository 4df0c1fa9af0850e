import type { Cluster, Span } from './cluster.js';
import type { Palette } from './palette.js';
import { type MessageView, type Picture, progressOf } from './picture.js';
import type { Action } from './run.js';

const ROW = 34;
const TOP = 22;
const LEFT = 30;
/** How many ms are to be seen, and where now is. */
const WINDOW_MS = 1_800;
const NOW_SHARE = 0.96;

/** What happened lately: a row for each peer, and the messages between them. */
export class Timeline {
  readonly #canvas: HTMLCanvasElement;
  readonly #palette: Palette;
  #from = 0;

  /** @param seek told of a moment that was clicked */
  constructor(canvas: HTMLCanvasElement, palette: Palette, seek: (at: number) => void) {
    this.#canvas = canvas;
    this.#palette = palette;
    canvas.addEventListener('click', ({ offsetX }) => seek(this.#from + (offsetX - LEFT) * this.#msPerPx));
  }

  draw(cluster: Cluster, actions: readonly Action[]): void {
    const { picture } = cluster;
    const pen = this.#newPen(picture.peers.length);
    if (pen === null) return;
    const width = this.#canvas.clientWidth;
    this.#from = Math.max(0, picture.now - WINDOW_MS * NOW_SHARE);
    this.#drawTicks(pen, width, picture);
    for (const [row, { ip }] of picture.peers.entries())
      this.#drawRow(pen, row, ip, cluster.spans.get(ip) ?? [], picture.now);
    this.#drawMessages(pen, picture);
    this.#drawActions(pen, actions, picture);
  }

  #newPen(rows: number): CanvasRenderingContext2D | null {
    const scale = devicePixelRatio;
    const width = Math.round(this.#canvas.clientWidth * scale);
    const height = Math.round((TOP + rows * ROW + 6) * scale);
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
      this.#canvas.style.height = `${height / scale}px`;
    }
    const pen = this.#canvas.getContext('2d');
    pen?.setTransform(scale, 0, 0, scale, 0, 0);
    pen?.clearRect(0, 0, width, height);
    return pen;
  }

  get #msPerPx(): number {
    return WINDOW_MS / (this.#canvas.clientWidth - LEFT);
  }

  #x(at: number): number {
    return LEFT + Math.max(0, at - this.#from) / this.#msPerPx;
  }

  #drawTicks(pen: CanvasRenderingContext2D, width: number, { now, peers }: Picture): void {
    pen.font = '11px system-ui, sans-serif';
    pen.textBaseline = 'middle';
    const bottom = TOP + peers.length * ROW;
    const every = 250;
    for (let at = Math.ceil(this.#from / every) * every; this.#x(at) < width - 10; at += every) {
      const x = this.#x(at);
      pen.fillStyle = this.#palette('line');
      pen.fillRect(x, TOP - 4, 1, bottom - TOP + 4);
      pen.fillStyle = this.#palette('muted');
      if (at % 500 === 0) pen.fillText(`${at / 1_000} s`, x + 3, 9);
    }
    pen.fillStyle = this.#palette('text');
    pen.fillRect(this.#x(now), TOP - 8, 1.5, bottom - TOP + 8);
  }

  #drawRow(
    pen: CanvasRenderingContext2D,
    row: number,
    ip: string,
    spans: readonly Span[],
    now: number,
  ): void {
    const y = TOP + row * ROW + ROW / 2;
    pen.fillStyle = this.#palette('text');
    pen.font = '600 14px system-ui, sans-serif';
    pen.fillText(ip, 8, y);
    for (const [at, span] of spans.entries()) {
      const to = spans[at + 1]?.from ?? now;
      if (to > this.#from) this.#drawSpan(pen, span, this.#x(span.from), this.#x(to), y);
    }
  }

  #drawSpan(
    pen: CanvasRenderingContext2D,
    { mode, isStopped }: Span,
    from: number,
    to: number,
    y: number,
  ): void {
    const height = mode === 'leads' ? 14 : mode === 'down' ? 1 : 5;
    pen.fillStyle = this.#palette(mode);
    if (mode === 'elected') {
      pen.strokeStyle = this.#palette('leads');
      pen.strokeRect(from, y - 6, to - from, 12);
    } else pen.fillRect(from, y - height / 2, to - from, height);
    if (!isStopped) return;
    pen.fillStyle = this.#palette('panel');
    for (let x = from + 2; x < to; x += 6) pen.fillRect(x, y - height / 2, 3, height);
  }

  #drawMessages(pen: CanvasRenderingContext2D, { messages, now, peers }: Picture): void {
    const rows = new Map(peers.map(({ ip }, row) => [ip, TOP + row * ROW + ROW / 2]));
    pen.lineWidth = 1;
    for (const message of messages) {
      const from = rows.get(message.from);
      const to = rows.get(message.to);
      if (message.sentAt < this.#from || from === undefined || to === undefined) continue;
      this.#drawMessage(pen, message, from, to, now);
    }
  }

  #drawMessage(
    pen: CanvasRenderingContext2D,
    message: MessageView,
    from: number,
    to: number,
    now: number,
  ): void {
    const end = Math.min(now, message.arrivesAt, message.lostAt);
    const x = this.#x(end);
    const y = from + (to - from) * progressOf(message, end);
    pen.strokeStyle = this.#palette(message.lostAt <= now ? 'no' : message.kind);
    pen.globalAlpha = message.kind === 'yes' ? 0.45 : 0.85;
    pen.beginPath();
    pen.moveTo(this.#x(message.sentAt), from);
    pen.lineTo(x, y);
    if (message.lostAt <= now) {
      pen.moveTo(x - 3, y - 3);
      pen.lineTo(x + 3, y + 3);
      pen.moveTo(x - 3, y + 3);
      pen.lineTo(x + 3, y - 3);
    }
    pen.stroke();
    pen.globalAlpha = 1;
  }

  #drawActions(pen: CanvasRenderingContext2D, actions: readonly Action[], { now, peers }: Picture): void {
    pen.fillStyle = this.#palette('accent');
    for (const { at, target } of actions) {
      if (at < this.#from || at > now) continue;
      const x = this.#x(at);
      const row = peers.findIndex(({ ip }) => ip === target);
      pen.beginPath();
      const y = row < 0 ? TOP - 2 : TOP + row * ROW + 8;
      pen.moveTo(x, y);
      pen.lineTo(x - 4, y - 7);
      pen.lineTo(x + 4, y - 7);
      pen.fill();
    }
  }
}
