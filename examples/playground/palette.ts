/** The colours of the page, for what is drawn on a canvas. */
export type Palette = (name: string) => string;

/** Looks the colours of the style sheet up, once for each scheme. */
export function newPalette(): Palette {
  const known = new Map<string, string>();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => known.clear());
  return (name) => {
    const colour =
      known.get(name) ?? getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
    known.set(name, colour);
    return colour;
  };
}
