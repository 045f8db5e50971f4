import type { BacktestSummary } from '@/api';

/** How many results there are to choose the best of: a run that was repeated, or given the result of another, has the
 * same fingerprint, and is no other attempt. */
export function differentResults(
  runs: readonly Pick<BacktestSummary, 'backtest_id' | 'fingerprint'>[],
): number {
  return new Set(runs.map((run) => run.fingerprint ?? run.backtest_id)).size;
}
