/** Writing in the language of rules: where mistakes are, and what can come next. */
import type { Schema } from '@/api';
import type { Parameters } from './draft';

export type RuleError = Schema<'RuleErrorOut'>;
export type Completion = Schema<'CompletionOut'>;

export const ENTRIES = ['entry', 'exit', 'short_entry', 'short_exit', 'entry_order'] as const;
export const ROTATION = ['rank', 'top', 'rebalance', 'exposure', 'start'] as const;

export const EXAMPLES = {
  trend: { entry: 'close crosses_above sma(close, 200)', exit: 'close < sma(close, 200)' },
  pullback: { entry: 'rsi(close, 2) < 10 and close > sma(close, 200)', exit: 'close > sma(close, 5)' },
  breakout: {
    entry: 'close > highest(high, breakout)[1]',
    exit: 'bars_held >= 60 or close < lowest(low, 20)[1]',
    values: { breakout: 55 },
  },
  rotation: { rank: 'roc(close, 126)', top: 1, entry: 'close > sma(close, 200)' },
} as const satisfies Record<string, Parameters>;
export type Example = keyof typeof EXAMPLES;
export const EXAMPLE_NAMES = Object.keys(EXAMPLES) as Example[];

export const isRotation = (parameters: Parameters): boolean => 'rank' in parameters || 'top' in parameters;

/** The characters [from, to) of a text that a mistake is about; `null` for one that has no place. */
export function placeOf(
  text: string,
  error: Pick<RuleError, 'line' | 'column' | 'stop'>,
): [number, number] | null {
  if (error.line === null || error.column === null) return null;
  const lines = text.split('\n');
  const before = lines.slice(0, error.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const from = Math.min(text.length, before + error.column - 1);
  const to = Math.min(text.length, before + Math.max(error.stop ?? 0, error.column + 1) - 1);
  return [from, Math.max(from, to)];
}

export interface Piece {
  text: string;
  wrong: boolean;
}

/** A text cut into right and wrong pieces; a mistake at its very end is about a space after it. */
export function pieces(text: string, places: readonly (readonly [number, number])[]): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const [from, to] of [...places].sort((a, b) => a[0] - b[0])) {
    if (to < at || (from < at && to <= at)) continue;
    const start = Math.max(at, from);
    if (start > at) found.push({ text: text.slice(at, start), wrong: false });
    found.push({ text: text.slice(start, to) || ' ', wrong: true });
    at = Math.max(at, to);
  }
  if (at < text.length) found.push({ text: text.slice(at), wrong: false });
  return found;
}

/** A text with the wrong characters replaced by what was probably meant. */
export function corrected(text: string, error: RuleError): string {
  const place = placeOf(text, error);
  if (!place || error.suggestion === null) return text;
  return text.slice(0, place[0]) + error.suggestion + text.slice(place[1]);
}

const WORD = /[A-Za-z_][A-Za-z0-9_]*$/;
const MOST = 8;

export interface Offer {
  /** Where the word that is being written begins. */
  from: number;
  words: Completion[];
}

/** Words that the one before the cursor may become; `all` offers everything where there is none. */
export function offer(text: string, cursor: number, words: readonly Completion[], all = false): Offer | null {
  const written = WORD.exec(text.slice(0, cursor))?.[0] ?? '';
  if (written === '' && !all) return null;
  if (/[0-9.]/.test(text[cursor - written.length - 1] ?? '') && written !== '') return null;
  const wanted = written.toLowerCase();
  const begins = words.filter((word) => word.name.startsWith(wanted));
  const contains = words.filter((word) => word.name.indexOf(wanted) > 0);
  const found = [...begins, ...contains].slice(0, all ? undefined : MOST);
  if (found.length === 0 || (found.length === 1 && found[0]?.name === written)) return null;
  return { from: cursor - written.length, words: found };
}

/** The text with a word put in, and where the cursor goes. */
export function completed(
  text: string,
  cursor: number,
  from: number,
  word: Completion,
): { text: string; cursor: number } {
  const rest = text.slice(cursor).replace(/^[A-Za-z0-9_]*/, '');
  const called = rest.startsWith('(');
  const put = called ? word.name : word.insert;
  const mark = put.indexOf('$');
  const inserted = put.replace('$', '');
  const spaced = inserted.endsWith(' ') && rest.startsWith(' ') ? inserted.slice(0, -1) : inserted;
  return { text: text.slice(0, from) + spaced + rest, cursor: from + (mark >= 0 ? mark : spaced.length) };
}

export interface Inside {
  name: string;
  /** Which argument the cursor is in, from 0. */
  argument: number;
}

/** The call whose parentheses the cursor is in. */
export function callAround(text: string, cursor: number): Inside | null {
  let depth = 0;
  let argument = 0;
  for (let at = cursor - 1; at >= 0; at -= 1) {
    const character = text[at];
    if (character === ')' || character === ']') depth += 1;
    else if (character === '[') depth -= 1;
    else if (character === ',' && depth === 0) argument += 1;
    else if (character === '(') {
      if (depth > 0) {
        depth -= 1;
        continue;
      }
      const name = WORD.exec(text.slice(0, at))?.[0];
      return name ? { name, argument } : null;
    }
  }
  return null;
}

/** Named values as words that can be offered. */
export const namedValues = (values: unknown): Completion[] =>
  Object.entries(typeof values === 'object' && values !== null ? values : {}).map(([name, value]) => ({
    name,
    kind: 'price',
    signature: name,
    insert: name,
    description: `= ${String(value)}`,
    group: null,
    parameters: [],
  }));
