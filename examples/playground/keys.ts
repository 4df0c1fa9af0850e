/** What a key of its own does, by the key. */
export type KeyTable = Readonly<Record<string, () => void>>;

/** Listens for keys, but not where somebody writes; others click the button that bears them. */
export function listenForKeys(table: KeyTable): void {
  document.addEventListener('keydown', (event) => {
    const { target, key } = event;
    if (!(target instanceof Element) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.closest('input, select, textarea') !== null) return;
    if (key === ' ' && target.closest('button, a, summary') !== null) return;
    const action = table[key] ?? buttonOf(key.toLowerCase());
    if (action === null) return;
    event.preventDefault();
    action();
  });
  // A button keeps the focus after a click; the space bar would mean it, and not the time.
  document.addEventListener('click', ({ target, detail }) => {
    if (detail > 0 && target instanceof Element) target.closest('button')?.blur();
  });
}

function buttonOf(key: string): (() => void) | null {
  if (!/^[a-z]$/.test(key)) return null;
  const button = document.querySelector<HTMLButtonElement>(`button[data-key="${key}"]`);
  return button === null ? null : () => button.click();
}
