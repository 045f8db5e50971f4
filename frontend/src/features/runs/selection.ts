/** Which runs are selected. Lasts while the application is open, so that a look at a run does not lose it. */
import { useSyncExternalStore } from 'react';
import type { BacktestSummary } from '@/api';

export const MOST_SELECTED = 1000;
export type Selection = ReadonlyMap<string, BacktestSummary>;

let selection: Selection = new Map();
const listeners = new Set<() => void>();

function set(next: Selection) {
  selection = next;
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useSelection = (): Selection => useSyncExternalStore(subscribe, () => selection);

export function toggle(run: BacktestSummary): void {
  const next = new Map(selection);
  if (!next.delete(run.backtest_id)) next.set(run.backtest_id, run);
  set(next);
}

/** Adds all of them, or takes all of them away. */
export function select(runs: readonly BacktestSummary[], selected = true): void {
  const next = new Map(selection);
  for (const run of runs) {
    if (!selected) next.delete(run.backtest_id);
    else if (next.size < MOST_SELECTED) next.set(run.backtest_id, run);
  }
  set(next);
}

/** What is known of them by now; the selection stays what it is. */
export function refreshSelection(runs: readonly BacktestSummary[]): void {
  const known = runs.filter((run) => {
    const before = selection.get(run.backtest_id);
    return before !== undefined && before !== run;
  });
  if (known.length === 0) return;
  const next = new Map(selection);
  for (const run of known) next.set(run.backtest_id, run);
  set(next);
}

export function clearSelection(): void {
  if (selection.size) set(new Map());
}
