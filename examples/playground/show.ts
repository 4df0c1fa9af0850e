import type { Picture } from './picture.js';

/** Something that can be played: a run of a cluster, or a scenario. */
export interface Show {
  readonly picture: Picture;
  /** Lets that much real time go by; whether there is more to see. */
  advance(realMs: number): Promise<boolean>;
  /** Until something happens. */
  step(): Promise<void>;
  back(): Promise<void>;
  restart(): Promise<void>;
}
