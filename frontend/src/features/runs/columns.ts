import type { SortKey } from './search';

/** `null` is not sorted by; the label is a key of the dictionary. */
export interface Column {
  key: string;
  label:
    | 'runs.col_name'
    | 'list.col_status'
    | 'list.col_symbols'
    | 'runs.col_curve'
    | 'metric_short.total_return'
    | 'metric_short.cagr'
    | 'metric_short.sharpe'
    | 'metric_short.max_drawdown'
    | 'metric_short.trade_count'
    | 'list.col_duration'
    | 'list.col_created';
  sort: SortKey | null;
  number?: boolean;
}

export const COLUMNS: readonly Column[] = [
  { key: 'name', label: 'runs.col_name', sort: 'name' },
  { key: 'status', label: 'list.col_status', sort: 'status' },
  { key: 'symbols', label: 'list.col_symbols', sort: null },
  { key: 'curve', label: 'runs.col_curve', sort: null },
  { key: 'total_return', label: 'metric_short.total_return', sort: 'total_return', number: true },
  { key: 'cagr', label: 'metric_short.cagr', sort: 'cagr', number: true },
  { key: 'sharpe', label: 'metric_short.sharpe', sort: 'sharpe', number: true },
  { key: 'max_drawdown', label: 'metric_short.max_drawdown', sort: 'max_drawdown', number: true },
  { key: 'trades', label: 'metric_short.trade_count', sort: 'trades', number: true },
  { key: 'duration', label: 'list.col_duration', sort: 'execution_seconds', number: true },
  { key: 'created_at', label: 'list.col_created', sort: 'created_at', number: true },
];

/** Which metric of the dictionary a metric of the list is. */
export const METRIC_CELLS = [
  ['total_return', 'total_return'],
  ['cagr', 'cagr'],
  ['sharpe', 'sharpe'],
  ['max_drawdown', 'max_drawdown'],
  ['trades', 'trade_count'],
] as const;
