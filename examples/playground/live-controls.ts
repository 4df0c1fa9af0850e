import { html, part, write } from './dom.js';
import type { Live } from './live.js';
import type { Palette } from './palette.js';
import { leaderOf } from './picture.js';
import { type Run, SIZES } from './run.js';
import { Timeline } from './timeline.js';

const LOG_LINES = 60;

/** What the controls of a run do. */
export interface LiveCommands {
  /** Begins another run. */
  open(run: Pick<Run, 'seed' | 'peers'>): void;
  seek(at: number): void;
}

/** Seed, size, time line and log of a run. */
export class LiveControls {
  readonly #seed = part('seed', HTMLInputElement);
  readonly #peers = part('peers', HTMLSelectElement);
  readonly #time = part('time', HTMLInputElement);
  readonly #log = part('log', HTMLElement);
  readonly #checks = part('checks', HTMLElement);
  readonly #timeline: Timeline;
  #shownLog = '';

  constructor(palette: Palette, { open, seek }: LiveCommands) {
    this.#timeline = new Timeline(part('timeline', HTMLCanvasElement), palette, seek);
    for (const size of SIZES) this.#peers.append(html('option', { value: String(size) }, String(size)));
    const openChosen = (): void => open({ seed: this.#seed.valueAsNumber, peers: Number(this.#peers.value) });
    this.#seed.addEventListener('change', () => {
      if (this.#seed.checkValidity() && this.#seed.value !== '') openChosen();
    });
    this.#peers.addEventListener('change', openChosen);
    part('new-seed', HTMLButtonElement).addEventListener('click', () => {
      this.#seed.value = String(Math.floor(Math.random() * 1e6));
      openChosen();
    });
    this.#time.addEventListener('input', () => seek(this.#time.valueAsNumber));
  }

  /** Shows the settings of a run that was opened. */
  opened({ seed, peers }: Run): void {
    this.#seed.value = String(seed);
    this.#peers.value = String(peers);
  }

  draw(live: Live): void {
    const { cluster, now, furthest } = live;
    this.#timeline.draw(cluster, live.actions);
    this.#time.max = String(furthest);
    this.#time.value = String(now);
    this.#time.setAttribute('aria-valuetext', `${now} ms`);
    const { violations } = cluster.world;
    const [broken] = violations;
    write(
      this.#checks,
      broken === undefined
        ? `S1 to S4 hold · run ${cluster.fingerprint}`
        : `${broken.check} is broken: ${broken.what}`,
    );
    this.#checks.dataset['broken'] = String(broken !== undefined);
    this.#drawLog(live);
  }

  #drawLog({ cluster }: Live): void {
    const { entries } = cluster.world.timeline;
    const last = entries.at(-1);
    const shown = `${entries.length} ${last?.at} ${last?.who} ${last?.what}`;
    if (shown === this.#shownLog) return;
    this.#shownLog = shown;
    this.#log.replaceChildren(
      ...entries
        .slice(-LOG_LINES)
        .reverse()
        .map(({ at, who, what }) => {
          const whose = html('b', {}, who === '' ? '' : who);
          return html('li', {}, html('span', {}, (at / 1_000).toFixed(3)), whose, html('span', {}, what));
        }),
    );
  }
}

/** Who leads, in words. */
export function leaderText(picture: Parameters<typeof leaderOf>[0]): string {
  const leader = leaderOf(picture);
  return leader === null ? 'Nobody leads' : `${leader.ip} leads term ${leader.term}`;
}
