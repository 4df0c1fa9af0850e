import type { View } from './view.js';

/** What became of the question to one peer: what it says of itself, or why it does not. */
export type Finding = { readonly url: string } & (
  | { readonly view: View }
  | { readonly view: null; readonly problem: string }
);

/** Whether peers agree on one leader. */
export interface Agreement {
  /** The leader that all know who know one; null when there is none, or more than one. */
  readonly leader: { readonly ip: string; readonly term: number } | null;
  /** What speaks against it: empty when all agree. */
  readonly problems: readonly string[];
}

/** What the findings come to: all must answer, and name the same leader of the same term. */
export function agreementOf(findings: readonly Finding[]): Agreement {
  const views = findings.flatMap(({ view }) => view ?? []);
  const ledViews = views.filter(({ leader }) => leader !== null);
  const named = new Map(ledViews.map(({ leader, term }) => [`${leader} in term ${term}`, { leader, term }]));
  const [only] = named.values();
  const leader = named.size === 1 && only !== undefined ? { ip: String(only.leader), term: only.term } : null;
  const problems = [
    ...findings.flatMap((it) => (it.view === null ? `${it.url}: ${it.problem}` : [])),
    ...(named.size > 1 ? [`they disagree on the leader: ${[...named.keys()].join(', ')}`] : []),
    ...views.filter((view) => view.leader === null).map(unled),
  ];
  return { leader, problems };
}

function unled({ ip, rejoining }: View): string {
  return `${ip} knows no leader${rejoining ? ': it found its store empty, and waits for others' : ''}`;
}
