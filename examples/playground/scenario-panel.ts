import { html, part } from './dom.js';
import type { Outcome, ScenarioShow } from './scenario.js';
import { SCENARIO_NAMES, scenarioText } from './scenario-files.js';

/** The list of scenarios, and the text of the one that is stepped through. */
export class ScenarioPanel {
  readonly #list = part('scenario', HTMLSelectElement);
  readonly #script = part('script', HTMLElement);
  readonly #goTo: (commands: number) => void;
  #shown: ScenarioShow | null = null;
  #shownLines = -1;

  /** @param open told of the text of a scenario, and its name if it is one of the list */
  constructor(open: (text: string, name: string | null) => void, goTo: (commands: number) => void) {
    this.#goTo = goTo;
    for (const name of SCENARIO_NAMES) this.#list.append(html('option', { value: name }, name));
    this.#list.addEventListener('change', () => open(scenarioText(this.#list.value) ?? '', this.#list.value));
    const file = part('scenario-file', HTMLInputElement);
    file.addEventListener('change', async () => {
      const [chosen] = file.files ?? [];
      if (chosen !== undefined) open(await chosen.text(), null);
    });
  }

  /** Shows which scenario was opened. */
  opened(name: string | null): void {
    this.#list.value = name ?? '';
  }

  draw(show: ScenarioShow): void {
    const { outcomes } = show;
    if (show === this.#shown && outcomes.length === this.#shownLines) return;
    this.#shown = show;
    this.#shownLines = outcomes.length;
    const current = show.lines.findLastIndex(({ isNote }, at) => !isNote && at < outcomes.length);
    let commands = 0;
    this.#script.replaceChildren(
      ...show.lines.flatMap(({ text, isNote }, at) => {
        if (isNote) return [html('li', { class: 'note' }, text.replace(/^#\s*/, ''))];
        commands++;
        const upTo = commands;
        const button = html('button', { type: 'button', class: 'line' }, text);
        button.addEventListener('click', () => this.#goTo(upTo));
        const line = html('li', { 'data-done': String(at < outcomes.length) }, button);
        if (at === current) line.setAttribute('aria-current', 'step');
        const outcome = outcomes[at];
        if (outcome !== undefined) line.append(...outcomeParts(outcome, at === current));
        return [line];
      }),
    );
    this.#script.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' });
  }
}

function outcomeParts({ happened, isAsWritten, error }: Outcome, isCurrent: boolean): readonly HTMLElement[] {
  if (error !== null) return [html('p', { class: 'mark', 'data-ok': 'false' }, error)];
  const parts: HTMLElement[] = [];
  if (isAsWritten !== null)
    parts.push(
      html(
        'span',
        { class: 'mark', 'data-ok': String(isAsWritten) },
        isAsWritten ? '✓ as written' : '✗ not as written',
      ),
    );
  if (isCurrent && happened.length > 0) parts.push(html('pre', {}, happened.join('\n')));
  return parts;
}
