import { Scenario } from './commands.js';

/**
 * A case is a text: comments (`#`), commands, a line `----`, and what happened, up to an empty line.
 *
 * @returns the text with what happens now
 */
export function rerun(text: string): string {
  const scenario = new Scenario();
  const lines: string[] = [];
  let happened: string[] = [];
  let isOutput = false;
  for (const line of text.trimEnd().split('\n')) {
    if (isOutput && line !== '') continue;
    isOutput = false;
    lines.push(line);
    if (line === '----') {
      lines.push(...(happened.length === 0 ? ['ok'] : happened));
      happened = [];
      isOutput = true;
    } else if (line !== '' && !line.startsWith('#')) happened.push(...scenario.run(line));
  }
  if (happened.length > 0) lines.push('----', ...happened);
  return `${lines.join('\n')}\n`;
}
