import type { Selection } from './choices.js';
import { part, write } from './dom.js';
import { listenForKeys } from './keys.js';
import { IPS } from './run.js';
import type { Show } from './show.js';

/** What the buttons of time and the keys do. */
export interface TransportCommands {
  toggle(): void;
  /** Does that while time stands still. */
  still(work: (show: Show) => Promise<void>): void;
  speed(speed: number): void;
  select(selection: Selection): void;
}

/** Play, step, back, restart and speed, by buttons and by keys. */
export class Transport {
  readonly #speed = part('speed', HTMLSelectElement);
  readonly #playText = part('play-text', HTMLElement);

  constructor({ toggle, still, speed, select }: TransportCommands) {
    onClick('play', toggle);
    onClick('step', () => still((show) => show.step()));
    onClick('back', () => still((show) => show.back()));
    onClick('restart', () => still((show) => show.restart()));
    this.#speed.addEventListener('change', () => speed(this.speed));
    const click = (id: string) => () => part(id, HTMLButtonElement).click();
    listenForKeys({
      ' ': toggle,
      ArrowRight: click('step'),
      ArrowLeft: click('back'),
      Home: click('restart'),
      '+': () => this.#change(1),
      '-': () => this.#change(-1),
      Escape: () => select(null),
      ...Object.fromEntries(IPS.map((id, at) => [String(at + 1), () => select({ type: 'peer', id })])),
    });
  }

  /** Virtual ms for each real one. */
  get speed(): number {
    return Number(this.#speed.value);
  }

  draw(isPlaying: boolean): void {
    write(this.#playText, isPlaying ? 'Pause' : 'Play');
  }

  #change(by: number): void {
    const { options, selectedIndex } = this.#speed;
    this.#speed.selectedIndex = Math.min(options.length - 1, Math.max(0, selectedIndex + by));
    this.#speed.dispatchEvent(new Event('change'));
  }
}

export function onClick(id: string, run: () => void): void {
  part(id, HTMLButtonElement).addEventListener('click', run);
}
