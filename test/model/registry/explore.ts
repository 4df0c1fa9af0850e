import type { Kernel } from '../build.js';
import { type Outcome, Search } from '../search.js';
import type { RegistryBounds } from './bounds.js';
import { RegistrySpace } from './space.js';

/** Visits all states of peers with data that can be reached, nearest first, until one violates something. */
export function exploreRegistry(
  kernel: Kernel,
  bounds: RegistryBounds,
  progress?: (text: string) => void,
): Outcome {
  const space = new RegistrySpace(kernel, bounds);
  const waypoints = bounds.waypoints.map((shows) => (words: Int32Array) => shows(space.peers(words)));
  return new Search(space, { ...bounds, waypoints }).run(progress);
}
