import { parseArgs } from 'node:util';
import type { Command } from './command.js';
import { tell } from './demo/story.js';

/**
 * Three processes elect a leader, over HTTP, each with a store in a file. The leader is killed and comes back, the next one
 * is stopped and wakes up, and at no time do two of them believe that they lead.
 */
export const demo: Command = {
  usage: 'demo',
  summary: 'Three processes elect a leader, which is killed; the next one is stopped, and wakes up.',
  details: `It takes ten seconds, listens on free ports of 127.0.0.1, and leaves nothing behind.

Exit codes: 0: at no time did two processes believe that they lead; 1: they did, or something else went wrong.`,
  run: async (args) => {
    parseArgs({ args: [...args], options: {} });
    return tell();
  },
};
