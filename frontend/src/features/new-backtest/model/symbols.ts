/** Looking for symbols among thousands, and reading lists of them. */

const SEPARATORS = /[\s,;|]+/;
export const MOST_SYMBOLS = 1000;
const SYMBOL = /^[A-Za-z0-9^][A-Za-z0-9.^=_-]{0,31}$/;

export const isSymbol = (text: string): boolean => SYMBOL.test(text);

/** Symbols of a text as people paste it: any separators, `"AAPL"` and `$AAPL` too; known ones in their own case. */
export function symbolsIn(text: string, known: ReadonlySet<string>): string[] {
  const found = text
    .split(SEPARATORS)
    .map((word) => word.replace(/^["'$]+|["']+$/g, ''))
    .filter(isSymbol)
    .map((word) => (known.has(word) || !known.has(word.toUpperCase()) ? word : word.toUpperCase()));
  return [...new Set(found)];
}

export const isList = (text: string): boolean => SEPARATORS.test(text.trim());

/** Those that contain what is searched, the ones that begin with it first. */
export function matching<T extends { symbol: string }>(items: readonly T[], query: string): T[] {
  const wanted = query.trim().toUpperCase();
  if (!wanted) return [...items];
  const begins: T[] = [];
  const contains: T[] = [];
  for (const item of items) {
    const at = item.symbol.toUpperCase().indexOf(wanted);
    if (at === 0) begins.push(item);
    else if (at > 0) contains.push(item);
  }
  return [...begins, ...contains];
}

/** The known symbol that a wrong one is a slip of: one letter more, fewer, or other, or two that changed places. */
export function nearest(symbol: string, known: Iterable<string>): string | null {
  const wanted = symbol.toUpperCase();
  for (const other of known) if (isSlip(wanted, other.toUpperCase())) return other;
  return null;
}

function isSlip(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1 || Math.min(a.length, b.length) < 2) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  const [restA, restB] = [a.slice(at), b.slice(at)];
  return (
    restA === restB ||
    restA.slice(1) === restB.slice(1) ||
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    (restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2))
  );
}
