import type { Strategy } from '@/api';

/** Kinds in the order in which the list has them first. */
export const kindsOf = (strategies: readonly Strategy[]): string[] => [
  ...new Set(strategies.map((one) => one.kind)),
];

/** Those of a kind whose words contain every word that is searched; `said` is what the reader sees of one. */
export function searched(
  strategies: readonly Strategy[],
  query: string,
  kind: string | null,
  said: (strategy: Strategy) => string,
): Strategy[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return strategies.filter((one) => {
    if (kind !== null && one.kind !== kind) return false;
    const text = [one.name, said(one), one.kind, one.summary, one.source, one.plugin?.distribution ?? '']
      .join(' ')
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
