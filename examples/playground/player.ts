import type { Show } from './show.js';

/** A tab that was hidden for long does not make up for it. */
const MAX_FRAME_MS = 100;

/** What a player tells. */
export interface PlayerHooks {
  /** What is shown may have changed. */
  draw(): void;
  /** It plays no longer, by itself. */
  paused(): void;
  /** Something that was done went wrong. */
  failed(error: unknown): void;
}

/** Plays a show, frame after frame; does one thing at a time, and draws nothing that is half done. */
export class Player<Shown extends Show> {
  isPlaying = false;
  #show: Shown;
  #work: Promise<void> = Promise.resolve();
  /** How much is to be done, and what of it is under way. */
  #works = 0;
  #isAdvancing = false;
  #needsDraw = true;
  #lastAt = 0;
  readonly #hooks: PlayerHooks;

  constructor(show: Shown, hooks: PlayerHooks) {
    this.#show = show;
    this.#hooks = hooks;
    requestAnimationFrame(this.#frame);
  }

  get show(): Shown {
    return this.#show;
  }

  /** Shows something else from now on. */
  open(show: Shown): void {
    this.#show = show;
    this.isPlaying = false;
    this.redraw();
  }

  redraw(): void {
    this.#needsDraw = true;
  }

  /** Does that when what is under way is done. */
  do(work: () => Promise<void>): Promise<void> {
    this.#works++;
    this.#work = this.#work
      .then(work)
      .catch((error: unknown) => this.#hooks.failed(error))
      .then(() => {
        this.#works--;
        this.redraw();
      });
    return this.#work;
  }

  readonly #frame = (at: number): void => {
    const ms = Math.min(MAX_FRAME_MS, at - this.#lastAt);
    this.#lastAt = at;
    if (this.#needsDraw && this.#works === 0) {
      this.#needsDraw = false;
      this.#hooks.draw();
    }
    if (this.isPlaying && !this.#isAdvancing) this.#advance(ms);
    requestAnimationFrame(this.#frame);
  };

  #advance(ms: number): void {
    this.#isAdvancing = true;
    const advanced = this.do(async () => {
      if (!this.isPlaying || (await this.#show.advance(ms))) return;
      this.isPlaying = false;
      this.#hooks.paused();
    });
    void advanced.then(() => {
      this.#isAdvancing = false;
    });
  }
}
