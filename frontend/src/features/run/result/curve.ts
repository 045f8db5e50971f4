import type { Drawdown, Equity } from '@/api';
import { DAY_S, indexAt, timeOf } from '@/lib/series';

export const RANGES = ['1m', '6m', '1y', '3y', '5y', 'all'] as const;
export type RangeName = (typeof RANGES)[number];
const DAYS: Record<Exclude<RangeName, 'all'>, number> = {
  '1m': 30,
  '6m': 182,
  '1y': 365,
  '3y': 1096,
  '5y': 1826,
};
export type Span = readonly [from: number, to: number];

export interface Curve {
  /** UTC seconds. */
  t: number[];
  equity: number[];
  drawdown: (number | null)[];
  benchmark: (number | null)[] | null;
  /** Bars of the run; more than there are points where the curve was thinned out. */
  bars: number;
}

export function curveOf(answer: Equity): Curve {
  return {
    t: answer.dates.map(timeOf),
    equity: answer.equity.map((value) => value ?? 0),
    drawdown: answer.drawdown,
    benchmark: answer.benchmark,
    bars: answer.total_bars,
  };
}

export const spanOf = (curve: Curve): Span => [curve.t[0] ?? 0, curve.t.at(-1) ?? 0];

/** The ranges that show less than the whole run, and the whole. */
export function rangesFor([from, to]: Span): RangeName[] {
  const days = (to - from) / DAY_S;
  return RANGES.filter((name) => name === 'all' || DAYS[name] < days * 0.9).slice(-4);
}

/** The part of the run that a range shows: its end. `null` is all of it. */
export function rangeSpan(name: RangeName, [from, to]: Span): Span | null {
  return name === 'all' ? null : [Math.max(from, to - DAYS[name] * DAY_S), to];
}

/** A drawdown from its peak to the recovery, or to the end of the run. */
export function drawdownSpan(item: Drawdown, [, last]: Span): Span {
  return [timeOf(item.peak_date), item.recovery_date === null ? last : timeOf(item.recovery_date)];
}

/** With room on both sides, inside the run. */
export function around([from, to]: Span, [first, last]: Span, least: number): Span {
  const room = Math.max(least, (to - from) * 0.5);
  return [Math.max(first, from - room), Math.min(last, to + room)];
}

/** Index of the first point at or after a time, the last one where there is none: what a window begins with. */
export function firstFrom(t: readonly number[], time: number): number {
  const at = indexAt(t, time);
  return (t[at] ?? time) < time ? Math.min(at + 1, t.length - 1) : at;
}

/** What the growth of a line in a window is counted from: its first value there. */
export function baseFrom(values: readonly (number | null)[], from: number): number | null {
  const found = values.findIndex((value, index) => index >= from && value !== null);
  return values[found] ?? null;
}

/** As multiples of a value; nothing where that is not above zero. */
export function rebased(values: readonly (number | null)[], base: number | null): (number | null)[] {
  return values.map((value) => (value === null || base === null || base <= 0 ? null : value / base));
}
