/** A line of a scenario that is done, or says what is shown. */
export interface ScriptLine {
  readonly text: string;
  readonly isNote: boolean;
  /** What happens by this line and those before it since the last such list; null: a later line tells. */
  readonly expected: readonly string[] | null;
}

/** The lines of a scenario file: comments (`#`), commands, and after `----` what happens, up to an empty line. */
export function readScript(text: string): readonly ScriptLine[] {
  const lines: ScriptLine[] = [];
  let expected: string[] | null = null;
  for (const line of text.replaceAll('\r', '').trimEnd().split('\n')) {
    if (line === '') expected = null;
    else if (expected !== null) expected.push(line);
    else if (line === '----') {
      expected = [];
      const last = lines.findLastIndex(({ isNote }) => !isNote);
      const command = lines[last];
      if (command !== undefined) lines[last] = { ...command, expected };
    } else lines.push({ text: line, isNote: line.startsWith('#'), expected: null });
  }
  return lines;
}
