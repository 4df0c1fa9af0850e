#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { textOf } from '../core/errors.js';
import { bad, type Command, isUsage, plain } from './command.js';
import { demo } from './demo.js';
import { resign } from './resign.js';
import { state } from './state.js';

const COMMANDS: Readonly<Record<string, Command>> = { demo, state, resign };

const HELP = `raftbeat: leader election inside Node services

${Object.values(COMMANDS)
  .map(({ usage, summary }) => `  raftbeat ${usage}\n      ${summary}\n`)
  .join('')}
  raftbeat COMMAND --help    what a command takes, and what its exit codes mean
  raftbeat --version
`;

/** Does what the command line says; resolves with the exit code. */
async function main([name = '', ...args]: readonly string[]): Promise<number> {
  if (isHelp(name)) return say(HELP);
  if (name === '--version') return say(`${version()}\n`);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw bad(name === '' ? 'which command?' : `there is no command '${name}'`);
  const { usage, summary, details } = command;
  if (args.some(isHelp)) return say(`raftbeat ${usage}\n\n${summary}\n\n${details}\n`);
  return command.run(args);
}

function isHelp(argument: string): boolean {
  return argument === '--help' || argument === '-h';
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}

/** Says in plain words what went wrong; returns the exit code. */
function failed(error: unknown): number {
  const message = error instanceof Error ? error.message : textOf(error);
  const hint = isUsage(error) ? '\nraftbeat --help tells what there is.' : '';
  console.error(`raftbeat: ${plain(message)}${hint}`);
  return isUsage(error) ? 2 : 1;
}

process.exitCode = await main(process.argv.slice(2)).catch(failed);
