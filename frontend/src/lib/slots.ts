import type { Workers } from '@/api';

const QUEUE = 'backtest_execution';

export const runsBacktests = (worker: { queues: string[] }) => worker.queues.includes(QUEUE);

/** How many runs the workers can compute at once; `null` when nobody knows. */
export function executionSlots(workers: Workers | undefined): number | null {
  if (!workers?.workers) return null;
  return workers.workers.filter(runsBacktests).reduce((sum, worker) => sum + worker.slots, 0);
}
