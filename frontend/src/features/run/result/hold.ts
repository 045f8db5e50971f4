import type { Backtest, Bars } from '@/api';
import { indexAt, timeOf } from '@/lib/series';

export interface Hold {
  symbol: string;
  /** What the capital would be worth, at the times of the curve. */
  values: (number | null)[];
  totalReturn: number;
  /** `null` where too few prices are known to tell. */
  maxDrawdown: number | null;
}

/** The one symbol that doing nothing would hold; not where the run or its benchmark does just that. */
export function heldSymbol(run: Backtest): string | null {
  const [symbol] = run.config.symbols;
  const alone = run.config.symbols.length === 1 && symbol !== undefined;
  return alone && run.strategy_type !== 'buy_and_hold' && run.config.benchmark !== symbol ? symbol : null;
}

/** Bought with the whole capital at the run's first close, without costs, and never sold. */
export function holdOf(bars: Bars, times: readonly number[], capital: number): Hold | null {
  const known = bars.bars.filter((bar) => bar.close !== null);
  const t = known.map((bar) => timeOf(bar.date));
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) return null;
  const from = t.findIndex((time) => time >= first);
  const start = known[from];
  if (!start) return null;
  const whole = bars.total_bars === bars.bars.length;
  const base = whole ? start.close : (start.open ?? start.close);
  if (!base || base <= 0) return null;
  const worth = (index: number) => ((known[index]?.close ?? base) / base) * capital;
  const values = times.map((time) => (time < (t[from] as number) ? null : worth(indexAt(t, time))));
  const end = values.at(-1) ?? null;
  if (end === null) return null;
  return {
    symbol: bars.symbol,
    values,
    totalReturn: end / capital - 1,
    maxDrawdown: whole
      ? deepest(known.slice(from, indexAt(t, last) + 1).map((bar) => bar.close as number))
      : null,
  };
}

function deepest(closes: readonly number[]): number {
  let peak = 0;
  let worst = 0;
  for (const close of closes) {
    peak = Math.max(peak, close);
    worst = Math.min(worst, close / peak - 1);
  }
  return worst;
}
