import type { BacktestFilters, BarsQuery } from './types';

/** Query keys by resource: invalidating a prefix reaches everything below it. */
export const keys = {
  backtests: ['backtests'] as const,
  lists: ['backtests', 'list'] as const,
  list: (filters: BacktestFilters) => ['backtests', 'list', filters] as const,
  active: ['backtests', 'active'] as const,
  count: ['backtests', 'count'] as const,
  backtest: (id: string) => ['backtest', id] as const,
  status: (id: string) => ['backtest', id, 'status'] as const,
  /** Equity, trades, metrics …: never change once the run has ended. */
  result: (id: string, part: string, ...more: unknown[]) => ['backtest', id, part, ...more] as const,
  validation: (draft: unknown) => ['validation', draft] as const,
  strategies: ['strategies'] as const,
  rules: (...part: unknown[]) => ['rules', ...part] as const,
  symbols: (source?: string, timeframe?: string) => ['market-data', 'symbols', source, timeframe] as const,
  sources: ['market-data', 'sources'] as const,
  bars: (symbol: string, query: BarsQuery) => ['market-data', 'bars', symbol, query] as const,
  system: (part: string) => ['system', part] as const,
  metricDefinitions: ['metric-definitions'] as const,
};
