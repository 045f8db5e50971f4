/** The list's whole view state, as it stands in the address. Pure; what the server is asked is made from it. */
import type { BacktestFilters, BacktestSort, RunStatus } from '@/api';
import { number, oneOf, text, texts } from '@/lib/url-state';

export const STATUSES: readonly RunStatus[] = [
  'running',
  'queued',
  'pending',
  'cancelling',
  'completed',
  'failed',
  'cancelled',
];
export const SORTS = [
  'name',
  'status',
  'total_return',
  'cagr',
  'sharpe',
  'max_drawdown',
  'trades',
  'execution_seconds',
  'created_at',
] as const satisfies readonly BacktestSort[];
export type SortKey = (typeof SORTS)[number];
export const DEFAULT_SORT: BacktestSort = '-created_at';
/** Days back from now, so that a saved view stays as new as its name says. */
export const SINCE = { day: 1, week: 7, month: 30, year: 365 } as const;
export type Since = keyof typeof SINCE;

/** Returns, CAGR and drawdowns in percent, as they are typed; a drawdown as a positive number. */
export interface RunsSearch {
  view?: string;
  q?: string;
  status?: RunStatus[];
  strategy?: string[];
  symbol?: string[];
  tag?: string[];
  since?: Since;
  from?: string;
  to?: string;
  starred?: true;
  bin?: true;
  min_return?: number;
  max_return?: number;
  min_cagr?: number;
  max_cagr?: number;
  min_sharpe?: number;
  max_sharpe?: number;
  max_dd?: number;
  min_trades?: number;
  max_trades?: number;
  sort?: BacktestSort;
  /** The run whose details are open. */
  details?: string;
}

const FILTERS = [
  'q',
  'status',
  'strategy',
  'symbol',
  'tag',
  'since',
  'from',
  'to',
  'starred',
  'min_return',
  'max_return',
  'min_cagr',
  'max_cagr',
  'min_sharpe',
  'max_sharpe',
  'max_dd',
  'min_trades',
  'max_trades',
] as const satisfies readonly (keyof RunsSearch)[];

const day = (value: unknown) => (/^\d{4}-\d{2}-\d{2}$/.test(text(value) ?? '') ? text(value) : undefined);

export function readRunsSearch(s: Record<string, unknown>): RunsSearch {
  const sort = text(s.sort);
  return without({
    view: text(s.view),
    // words of digits alone are read from the address as a number
    q: typeof s.q === 'number' ? String(s.q) : text(s.q),
    status: texts(s.status)?.filter((status): status is RunStatus => STATUSES.includes(status as RunStatus)),
    strategy: texts(s.strategy),
    symbol: texts(s.symbol),
    tag: texts(s.tag),
    since: oneOf(s.since, Object.keys(SINCE) as Since[]),
    from: day(s.from),
    to: day(s.to),
    starred: s.starred === true || undefined,
    bin: s.bin === true || undefined,
    min_return: number(s.min_return),
    max_return: number(s.max_return),
    min_cagr: number(s.min_cagr),
    max_cagr: number(s.max_cagr),
    min_sharpe: number(s.min_sharpe),
    max_sharpe: number(s.max_sharpe),
    max_dd: number(s.max_dd),
    min_trades: number(s.min_trades),
    max_trades: number(s.max_trades),
    sort:
      sort && SORTS.includes(sort.replace(/^-/, '') as SortKey) && sort !== DEFAULT_SORT
        ? (sort as BacktestSort)
        : undefined,
    details: text(s.details),
  });
}

/** Without what is absent or an empty list: equal views have equal keys. */
export function without<T extends object>(search: T): T {
  return Object.fromEntries(
    Object.entries(search).filter(
      ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
    ),
  ) as T;
}

/** Filters and sort alone, without what is open and which tab it came from. */
export function viewOf({ view: _view, details: _details, ...rest }: RunsSearch): RunsSearch {
  return without(rest);
}

export const sameView = (a: RunsSearch, b: RunsSearch): boolean => key(a) === key(b);
const key = (search: RunsSearch) => JSON.stringify(Object.entries(viewOf(search)).sort());

export const hasFilters = (search: RunsSearch): boolean => FILTERS.some((name) => search[name] !== undefined);

/** The same place without any filter; the sort stays. */
export const withoutFilters = (search: RunsSearch): RunsSearch =>
  without({ sort: search.sort, bin: search.bin });

const percent = (value: number | undefined) => (value === undefined ? undefined : value / 100);

/** What the server is asked. `now`: to which "the last week" refers. */
export function toFilters(search: RunsSearch, now: number): BacktestFilters {
  const { since } = search;
  return without<BacktestFilters>({
    q: search.q,
    status: search.status,
    strategy_type: search.strategy,
    symbol: search.symbol,
    tag: search.tag,
    starred: search.starred,
    deleted: search.bin,
    created_from: since ? new Date(now - SINCE[since] * 86_400_000).toISOString() : search.from,
    created_to: search.to && `${search.to}T23:59:59.999Z`,
    min_total_return: percent(search.min_return),
    max_total_return: percent(search.max_return),
    min_cagr: percent(search.min_cagr),
    max_cagr: percent(search.max_cagr),
    min_sharpe: search.min_sharpe,
    max_sharpe: search.max_sharpe,
    min_max_drawdown: search.max_dd === undefined ? undefined : -search.max_dd / 100,
    min_trades: search.min_trades,
    max_trades: search.max_trades,
    sort: search.sort ?? DEFAULT_SORT,
  });
}

const TEXT_COLUMNS: readonly SortKey[] = ['name', 'status'];

/** What a click on a column's head does: its natural direction first, then the other one. */
export function nextSort(current: BacktestSort, column: SortKey): BacktestSort {
  const natural =
    TEXT_COLUMNS.includes(column) || column === 'max_drawdown' ? column : (`-${column}` as const);
  const other = natural === column ? (`-${column}` as const) : column;
  return current === natural ? other : natural;
}
