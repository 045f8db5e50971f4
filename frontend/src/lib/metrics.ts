import type { ParseKeys } from 'i18next';
import type { Formatter } from './format';

export type MetricKey = Extract<ParseKeys, `metric.${string}`> extends `metric.${infer K}` ? K : never;
export type MetricKind = 'return' | 'percent' | 'ratio' | 'count' | 'money' | 'days';

/** How a metric reads: its kind decides the format, `better` decides the marked value in comparisons. */
export const METRICS = {
  total_return: { kind: 'return', better: 'high' },
  annual_return: { kind: 'return', better: 'high' },
  cagr: { kind: 'return', better: 'high' },
  sharpe: { kind: 'ratio', better: 'high' },
  sortino: { kind: 'ratio', better: 'high' },
  calmar: { kind: 'ratio', better: 'high' },
  volatility: { kind: 'percent', better: 'low' },
  max_drawdown: { kind: 'percent', better: 'high' },
  win_rate: { kind: 'percent', better: 'high' },
  profit_factor: { kind: 'ratio', better: 'high' },
  payoff: { kind: 'ratio', better: 'high' },
  avg_trade: { kind: 'return', better: 'high' },
  trade_count: { kind: 'count', better: null },
  exposure: { kind: 'percent', better: null },
  costs_paid: { kind: 'money', better: 'low' },
  final_equity: { kind: 'money', better: 'high' },
  avg_holding_days: { kind: 'days', better: null },
  var_95: { kind: 'percent', better: 'high' },
  cvar_95: { kind: 'percent', better: 'high' },
  best_day: { kind: 'return', better: null },
  worst_day: { kind: 'return', better: null },
  skew: { kind: 'ratio', better: null },
  kurtosis: { kind: 'ratio', better: null },
  beta: { kind: 'ratio', better: null },
  alpha: { kind: 'return', better: 'high' },
  correlation: { kind: 'ratio', better: null },
  tracking_error: { kind: 'percent', better: null },
  information_ratio: { kind: 'ratio', better: 'high' },
} as const satisfies Partial<Record<MetricKey, { kind: MetricKind; better: 'high' | 'low' | null }>>;

export type KnownMetric = keyof typeof METRICS;

export function formatMetric(f: Formatter, key: KnownMetric, value: number | null | undefined): string {
  switch (METRICS[key].kind) {
    case 'return':
      return f.percent(value, { signed: true });
    case 'percent':
      return f.percent(value);
    case 'count':
      return f.integer(value);
    case 'money':
      return f.money(value);
    case 'days':
      return f.integer(value);
    default:
      return f.number(value);
  }
}

/** Only signed returns are coloured; a drawdown is always negative, so colour would say nothing. */
export function toneOf(key: KnownMetric, value: number | null | undefined): 'gain' | 'loss' | undefined {
  return METRICS[key].kind === 'return' ? toneOfReturn(value) : undefined;
}

/** Half of the last digit that is shown: below it the text is 0.0%, and has no colour. */
const SHOWN_AS_ZERO = 0.0005;

export function toneOfReturn(value: number | null | undefined): 'gain' | 'loss' | undefined {
  if (!value || Math.abs(value) < SHOWN_AS_ZERO) return undefined;
  return value > 0 ? 'gain' : 'loss';
}
