/** What a run computed. A finished run never changes, so its parts are read once. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { api, body } from './client';
import { keys } from './keys';
import type {
  AccountEvent,
  Charts,
  Equity,
  Execution,
  ExportFormat,
  ExportTable,
  Fill,
  LogLevel,
  LogLine,
  Manifest,
  MetricDefinition,
  MetricsAnswer,
  Trade,
} from './types';

const FOREVER = { staleTime: Number.POSITIVE_INFINITY } as const;
const ROWS = 1000;
/** More rows than anybody reads; all of them are in the export. */
export const MOST_ROWS = 10_000;
const one = (id: string) => ({ backtest_id: id });

interface Rows<T> {
  items: T[];
  next_cursor: string | null;
  total: number;
}

/** The first rows of a table, and how many there are. */
export interface Table<T> {
  rows: T[];
  total: number;
}

/** At most `maxPoints` bars, each stretch with its lowest and highest; without it every bar. */
export const useEquity = (id: string, maxPoints?: number) =>
  useQuery({
    ...FOREVER,
    queryKey: keys.result(id, 'equity', maxPoints),
    queryFn: ({ signal }) =>
      body<Equity>(
        api.GET('/api/v1/backtests/{backtest_id}/equity', {
          params: { path: one(id), query: { max_points: maxPoints } },
          signal,
        }),
      ),
  });

/** `full`: also everything that is not a headline metric, and the ten deepest drawdowns. */
export const useMetrics = (id: string, full = false) =>
  useQuery({
    ...FOREVER,
    queryKey: keys.result(id, 'metrics', full),
    queryFn: ({ signal }) =>
      body<MetricsAnswer>(
        api.GET('/api/v1/backtests/{backtest_id}/metrics', {
          params: { path: one(id), query: { full } },
          signal,
        }),
      ),
  });

export const useManifest = (id: string) =>
  useQuery({
    ...FOREVER,
    queryKey: keys.result(id, 'manifest'),
    queryFn: ({ signal }) =>
      body<Manifest>(
        api.GET('/api/v1/backtests/{backtest_id}/manifest', { params: { path: one(id) }, signal }),
      ),
  });

/** Returns by month, rolling figures, the spread of the returns, the benchmark's own metrics: of every bar. */
export const useCharts = (id: string) =>
  useQuery({
    ...FOREVER,
    queryKey: keys.result(id, 'charts'),
    queryFn: ({ signal }) =>
      body<Charts>(api.GET('/api/v1/backtests/{backtest_id}/charts', { params: { path: one(id) }, signal })),
  });

/** The address of a whole table as a file. */
export const exportUrl = (id: string, table: ExportTable, format: ExportFormat) =>
  `/api/v1/backtests/${encodeURIComponent(id)}/export?table=${table}&format=${format}`;

/** Round trips in the order they closed, over all pages up to `MOST_ROWS`. */
export const useTrades = (id: string, enabled = true) =>
  useQuery({
    ...FOREVER,
    enabled,
    queryKey: keys.result(id, 'trades'),
    queryFn: ({ signal }) =>
      allRows<Trade>((cursor) =>
        body(
          api.GET('/api/v1/backtests/{backtest_id}/trades', {
            params: { path: one(id), query: { limit: ROWS, cursor } },
            signal,
          }),
        ),
      ),
  });

/** Executions in order, over all pages up to `MOST_ROWS`. */
export const useFills = (id: string, enabled = true) =>
  useQuery({
    ...FOREVER,
    enabled,
    queryKey: keys.result(id, 'fills'),
    queryFn: ({ signal }) =>
      allRows<Fill>((cursor) =>
        body(
          api.GET('/api/v1/backtests/{backtest_id}/fills', {
            params: { path: one(id), query: { limit: ROWS, cursor } },
            signal,
          }),
        ),
      ),
  });

/** Splits, dividends and borrow, over all pages up to `MOST_ROWS`. */
export const useAccountEvents = (id: string, enabled = true) =>
  useQuery({
    ...FOREVER,
    enabled,
    queryKey: keys.result(id, 'account-events'),
    queryFn: ({ signal }) =>
      allRows<AccountEvent>((cursor) =>
        body(
          api.GET('/api/v1/backtests/{backtest_id}/account-events', {
            params: { path: one(id), query: { limit: ROWS, cursor } },
            signal,
          }),
        ),
      ),
  });

/** The log of a run that has ended; a running one tells it through `useLiveRun`. */
export const useLogs = (id: string, level: LogLevel = 'debug') =>
  useInfiniteQuery({
    queryKey: keys.result(id, 'logs', level),
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/backtests/{backtest_id}/logs', {
          params: { path: one(id), query: { level, after: pageParam, limit: ROWS } },
          signal,
        }),
      ),
    initialPageParam: 0,
    getNextPageParam: (page) => (page.more ? page.next_after : undefined),
    select: (data) => data.pages.flatMap((page): LogLine[] => page.items),
  });

/** Attempts of workers. */
export const useExecutions = (id: string) =>
  useQuery({
    queryKey: keys.result(id, 'executions'),
    queryFn: async ({ signal }): Promise<Execution[]> =>
      (
        await body(
          api.GET('/api/v1/backtests/{backtest_id}/executions', { params: { path: one(id) }, signal }),
        )
      ).items,
  });

export const useMetricDefinitions = () =>
  useQuery({
    ...FOREVER,
    queryKey: keys.metricDefinitions,
    queryFn: async ({ signal }): Promise<MetricDefinition[]> =>
      (await body(api.GET('/api/v1/metrics/definitions', { signal }))).items,
  });

async function allRows<T>(read: (cursor: string | undefined) => Promise<Rows<T>>): Promise<Table<T>> {
  const rows: T[] = [];
  let total = 0;
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    rows.push(...page.items);
    total = page.total;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && rows.length < MOST_ROWS);
  return { rows, total };
}
