import type { Backtest } from '@/api';
import type { Formatter } from '@/lib/format';

/** How long it was computed, as the list of runs has it; nothing for a run that was given another's result. */
export function spentText(
  f: Formatter,
  run: Pick<Backtest, 'execution_seconds' | 'cached_from'>,
): string | undefined {
  if (run.cached_from !== null || run.execution_seconds === null) return undefined;
  return f.duration(run.execution_seconds);
}
