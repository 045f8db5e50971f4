import type { Formatter } from './format';

/** The figures that lists of runs show, and how they read. */
const METRICS = {
  total_return: 'return',
  cagr: 'return',
  sharpe: 'ratio',
  max_drawdown: 'percent',
  trade_count: 'count',
} as const;

export type KnownMetric = keyof typeof METRICS;

export function formatMetric(f: Formatter, key: KnownMetric, value: number | null | undefined): string {
  switch (METRICS[key]) {
    case 'return':
      return f.percent(value, { signed: true });
    case 'percent':
      return f.percent(value);
    case 'count':
      return f.integer(value);
    case 'ratio':
      return f.number(value);
  }
}

/** Only signed returns are coloured; a drawdown is always negative, so colour would say nothing. */
export function toneOf(key: KnownMetric, value: number | null | undefined): 'gain' | 'loss' | undefined {
  return METRICS[key] === 'return' ? toneOfReturn(value) : undefined;
}

/** Half of the last digit that is shown: below it the text is 0.0%, and has no colour. */
const SHOWN_AS_ZERO = 0.0005;

export function toneOfReturn(value: number | null | undefined): 'gain' | 'loss' | undefined {
  if (!value || Math.abs(value) < SHOWN_AS_ZERO) return undefined;
  return value > 0 ? 'gain' : 'loss';
}
