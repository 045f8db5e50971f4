import { useMemo } from 'react';
import { type Backtest, useBars } from '@/api';
import { DAY_S } from '@/lib/series';
import type { Curve } from './curve';
import { type Hold, heldSymbol, holdOf } from './hold';

const POINTS = 6500;
const day = (time: number) => new Date(time * 1000).toISOString().slice(0, 10);

/** The days of a run's bars on its market's clock, and one more on each side for bars within a day. */
export function daysOf(from: number, to: number, timeframe: string): { start: string; end: string } {
  const room = timeframe === '1d' || timeframe === '1w' ? 0 : DAY_S;
  return { start: day(from - room), end: day(to + room) };
}

/** Holding the run's only symbol, from the prices as they are now; `null` where that says nothing. */
export function useHold(run: Backtest, curve: Curve): Hold | null {
  const symbol = heldSymbol(run);
  const [from, to] = [curve.t[0] ?? 0, curve.t.at(-1) ?? 0];
  const { data } = useBars(
    symbol ?? '',
    {
      ...daysOf(from, to, run.timeframe),
      source: run.data_source ?? undefined,
      timeframe: run.config.timeframe,
      max_points: POINTS,
    },
    symbol !== null && curve.t.length > 1,
  );
  return useMemo(
    () => (data && symbol !== null ? holdOf(data, curve.t, run.initial_capital) : null),
    [data, symbol, curve, run.initial_capital],
  );
}
