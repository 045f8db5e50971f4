import type { BacktestInput } from '@/api';

/** What `examples/sma_crossover.yaml` describes, as one click. */
export const demoBacktest = (name: string): BacktestInput => ({
  name,
  strategy_type: 'sma_crossover',
  parameters: { fast: 20, slow: 50 },
  symbols: ['AAPL'],
  start_date: '2005-01-01',
  end_date: '2012-12-31',
  data_source: 'demo',
  benchmark: 'SPX',
  initial_capital: 100_000,
  costs: { commission_rate: 0.001, slippage_bps: 2 },
  tags: ['example'],
});
