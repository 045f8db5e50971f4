import { useEffect, useMemo, useRef, useState } from 'react';
import {
  type BacktestFilters,
  type BacktestSummary,
  PAGE,
  useActiveBacktests,
  useBacktestPages,
} from '@/api';

/** Rows read beyond those in sight, so that slow scrolling never meets a gap. */
const AHEAD = 40;
const THROTTLE_MS = 80;

/** The numbers of the pages that rows `first` to `last` are on, as a text that is equal for equal pages. */
export function pagesOf(first: number, last: number, total: number): string {
  const from = Math.max(0, Math.floor((first - AHEAD) / PAGE));
  const end = Math.max(0, Math.min(total - 1, last + AHEAD));
  return Array.from({ length: Math.max(1, Math.floor(end / PAGE) - from + 1) }, (_, i) => from + i).join();
}

export interface RunWindow {
  /** `undefined` until the server has answered once. */
  total: number | undefined;
  at: (index: number) => BacktestSummary | undefined;
  /** All that have been read of what is in sight. */
  rows: readonly BacktestSummary[];
  /** What is shown belongs to the filters before; the answer to the new ones is on its way. */
  stale: boolean;
  error: Error | null;
  retry: () => void;
}

/** A long list of which only the pages in sight are read. */
export function useRunWindow(filters: BacktestFilters, wanted: string): RunWindow {
  const throttled = useThrottled(wanted, THROTTLE_MS);
  const numbers = useMemo(() => throttled.split(',').map(Number), [throttled]);
  const { pages, total, error, retry } = useBacktestPages(filters, numbers);
  const active = useActiveBacktests().data?.items;
  const live = useMemo(() => new Map(active?.map((run) => [run.backtest_id, run])), [active]);

  const question = JSON.stringify(filters);
  const last = useRef<{ question: string; pages: typeof pages; total: number }>(undefined);
  if (total !== undefined) last.current = { question, pages, total };
  const before = last.current;
  const stale = total === undefined && before !== undefined && before.question !== question;
  const shown = stale ? before.pages : pages;

  const newest = useMemo(
    () =>
      new Map(
        [...shown].map(([page, runs]) => [page, runs.map((run) => asItIs(run, live.get(run.backtest_id)))]),
      ),
    [shown, live],
  );

  return {
    total: total ?? before?.total,
    at: (index) => newest.get(Math.floor(index / PAGE))?.[index % PAGE],
    rows: useMemo(() => [...newest.values()].flat(), [newest]),
    stale,
    error,
    retry,
  };
}

/** What is active is asked for more often than the list. */
function asItIs(run: BacktestSummary, now: BacktestSummary | undefined): BacktestSummary {
  if (!now || (now.status === run.status && now.progress === run.progress)) return run;
  return { ...run, status: now.status, progress: now.progress, current_step: now.current_step };
}

/** Follows a value that may change with every frame, but not more often than so. */
function useThrottled<T>(value: T, everyMs: number): T {
  const [shown, setShown] = useState(value);
  const changed = useRef(0);
  useEffect(() => {
    const wait = Math.max(0, changed.current + everyMs - Date.now());
    const timer = setTimeout(() => {
      changed.current = Date.now();
      setShown(value);
    }, wait);
    return () => clearTimeout(timer);
  }, [value, everyMs]);
  return shown;
}
