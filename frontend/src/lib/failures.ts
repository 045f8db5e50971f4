/** What ended for a reason outside the backtest: going on from the checkpoint may well succeed. */
const RESUMABLE = new Set([
  'crash_loop',
  'deadline_exceeded',
  'storage_failed',
  'store_unavailable',
  'internal_error',
]);

/** The one thing to do about a failure: go on as it was, or change something first. */
export const remedyFor = (code: string): 'resume' | 'clone' => (RESUMABLE.has(code) ? 'resume' : 'clone');
