import type { Bounds } from './bounds.js';
import type { Kernel } from './build.js';
import { type Outcome, Search } from './search.js';
import { States } from './states.js';

/** Visits all states that can be reached, nearest first, until one violates something. */
export function explore(kernel: Kernel, bounds: Bounds, progress?: (text: string) => void): Outcome {
  const states = new States(kernel, bounds);
  const waypoints = bounds.waypoints.map((shows) => (words: Int32Array) => shows(states.peers(words)));
  return new Search(states, { ...bounds, waypoints }).run(progress);
}
