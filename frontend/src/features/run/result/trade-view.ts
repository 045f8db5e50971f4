import type { Trade } from '@/api';
import type { TradeMarker } from '@/components/charts/time-chart-types';
import { timeOf } from '@/lib/series';
import type { Span } from './curve';

/** A trade with its number: the order in which they closed, from 1. */
export interface NumberedTrade extends Trade {
  number: number;
}

export const numbered = (trades: readonly Trade[]): NumberedTrade[] =>
  trades.map((trade, index) => ({ ...trade, number: index + 1 }));

const BAR_SECONDS: Readonly<Record<string, number>> = {
  '1m': 60,
  '5m': 300,
  '15m': 900,
  '30m': 1800,
  '1h': 3600,
  '1d': 86_400,
  '1w': 604_800,
};
const LEAST_BARS = 45;

/** The time around a trade that shows how it came about. `last`: end of the run, where an open one is cut off. */
export function spanOfTrade(trade: Trade, timeframe: string, last: number): Span {
  const from = timeOf(trade.entry_date);
  const to = trade.exit_date === null ? Math.max(from, last) : timeOf(trade.exit_date);
  const room = Math.max((to - from) * 0.4, LEAST_BARS * (BAR_SECONDS[timeframe] ?? 86_400) * 1.4);
  return [from - room, to + room];
}

/** Arrows of a trade: up where shares were bought, down where they were sold. */
export function marksOf(
  trade: NumberedTrade,
  text?: { entry: string; exit: string },
  size?: number,
): TradeMarker[] {
  const long = trade.side === 'long';
  const entry: TradeMarker = {
    t: timeOf(trade.entry_date),
    kind: long ? 'entry' : 'exit',
    color: 'accent',
    text: text?.entry,
    size,
  };
  if (trade.exit_date === null) return [entry];
  const won = (trade.profit ?? 0) > 0;
  return [
    entry,
    {
      t: timeOf(trade.exit_date),
      kind: long ? 'exit' : 'entry',
      color: won ? 'gain' : 'loss',
      text: text?.exit,
      size,
    },
  ];
}

/** Those with an arrow in a stretch of time. */
export const tradesIn = (trades: readonly NumberedTrade[], [from, to]: Span): readonly NumberedTrade[] =>
  trades.filter(
    (trade) =>
      timeOf(trade.entry_date) <= to && (trade.exit_date === null || timeOf(trade.exit_date) >= from),
  );

/** Many arrows over a whole run are small ones. */
export const sizeOfMarks = (trades: number): number | undefined =>
  trades > 400 ? 0.3 : trades > 80 ? 0.5 : undefined;

/** The trade that a click means: the one with an arrow nearest to it. */
export function nearestTrade(trades: readonly NumberedTrade[], time: number): number | undefined {
  let best: number | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const trade of trades) {
    const ends = [timeOf(trade.entry_date), ...(trade.exit_date === null ? [] : [timeOf(trade.exit_date)])];
    const away = Math.min(...ends.map((end) => Math.abs(end - time)));
    if (away < least) [best, least] = [trade.number, away];
  }
  return best;
}

export type Outcome = 'all' | 'wins' | 'losses';

export const withOutcome = (trades: readonly NumberedTrade[], outcome: Outcome): readonly NumberedTrade[] =>
  outcome === 'all'
    ? trades
    : trades.filter(({ profit }) => (outcome === 'wins' ? (profit ?? 0) > 0 : (profit ?? 0) <= 0));
