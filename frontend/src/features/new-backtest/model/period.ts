/** The period of a run against what the data hold. Days are ISO texts, which compare as they are. */

export interface Span {
  symbol: string;
  first: string;
  last: string;
}

/** `null` is as far as the data go. */
export interface Period {
  start: string | null;
  end: string | null;
}

/** A wanted day that no chosen symbol has, and the symbol whose data set the limit. */
export interface Clamp {
  edge: 'start' | 'end';
  wanted: string;
  day: string;
  symbol: string;
}

/** A wanted day that leaves nothing: beyond the last day of any chosen symbol, or before the first. */
export interface Outside {
  edge: 'start' | 'end';
  side: 'before' | 'after';
  wanted: string;
  /** The first or the last day that there is. */
  day: string;
}

export interface Range {
  first: string;
  last: string;
  firstBy: string;
  lastBy: string;
}

const pick = (spans: readonly Span[], better: (a: Span, b: Span) => boolean) =>
  spans.reduce((best, span) => (better(span, best) ? span : best));

/** From the first bar of any symbol to the last bar of any. */
export function anyRange(spans: readonly Span[]): Range | null {
  if (spans.length === 0) return null;
  const first = pick(spans, (a, b) => a.first < b.first);
  const last = pick(spans, (a, b) => a.last > b.last);
  return { first: first.first, last: last.last, firstBy: first.symbol, lastBy: last.symbol };
}

/** The days on which every symbol has data; `null` when there are none. */
export function commonRange(spans: readonly Span[]): Range | null {
  if (spans.length === 0) return null;
  const first = pick(spans, (a, b) => a.first > b.first);
  const last = pick(spans, (a, b) => a.last < b.last);
  if (first.first > last.last) return null;
  return { first: first.first, last: last.last, firstBy: first.symbol, lastBy: last.symbol };
}

export interface Clamped {
  period: Period;
  clamps: Clamp[];
  outside: Outside[];
}

/** What is sent for the wanted days: inside what any symbol has, with the reason for every day that was moved. A start
 * after all data, or an end before them, is moved nowhere: it is wrong. */
export function clamped(wanted: Period, spans: readonly Span[]): Clamped {
  const range = anyRange(spans);
  if (!range) return { period: wanted, clamps: [], outside: [] };
  const { start, end } = wanted;
  const outside: Outside[] = [];
  if (start !== null && start > range.last) {
    outside.push({ edge: 'start', side: 'after', wanted: start, day: range.last });
  }
  if (end !== null && end < range.first) {
    outside.push({ edge: 'end', side: 'before', wanted: end, day: range.first });
  }
  if (outside.length > 0) return { period: wanted, clamps: [], outside };
  const early = start !== null && start < range.first;
  const late = end !== null && end > range.last;
  return {
    period: { start: early ? range.first : start, end: late ? range.last : end },
    clamps: [
      ...(early ? [{ edge: 'start' as const, wanted: start, day: range.first, symbol: range.firstBy }] : []),
      ...(late ? [{ edge: 'end' as const, wanted: end, day: range.last, symbol: range.lastBy }] : []),
    ],
    outside: [],
  };
}

/** Symbols that begin after the run does, and those that end before it, by day. */
export function partial(period: Period, spans: readonly Span[]): { late: Span[]; early: Span[] } {
  const range = anyRange(spans);
  if (!range) return { late: [], early: [] };
  const start = period.start ?? range.first;
  const end = period.end ?? range.last;
  return {
    late: spans.filter((span) => span.first > start).sort((a, b) => (a.first < b.first ? -1 : 1)),
    early: spans.filter((span) => span.last < end).sort((a, b) => (a.last < b.last ? -1 : 1)),
  };
}

/** The same day some years before. */
export function yearsBefore(day: string, years: number): string {
  const moved = `${String(Number(day.slice(0, 4)) - years).padStart(4, '0')}${day.slice(4)}`;
  return moved.endsWith('-02-29') ? `${moved.slice(0, 8)}28` : moved;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const DAY_MS = 86_400_000;

/** A day that exists; a date field passes through years such as 0002 while it is typed in. */
export const isDay = (text: string): boolean =>
  DAY.test(text) &&
  text >= '1000-01-01' &&
  !Number.isNaN(Date.parse(text)) &&
  dayText(dayNumber(text)) === text;

export const dayNumber = (day: string) => Math.floor(Date.parse(day) / DAY_MS);
export const dayText = (day: number) => new Date(day * DAY_MS).toISOString().slice(0, 10);
