/** Names for what `schema.d.ts` generates. Nothing here is written twice. */
import type { components, operations } from './schema';

export type Schema<K extends keyof components['schemas']> = components['schemas'][K];

export type Backtest = Schema<'BacktestOut'>;
export type BacktestSummary = Schema<'BacktestSummaryOut'>;
export type BacktestStatus = Schema<'StatusOut'>;
export type BacktestConfig = Schema<'BacktestConfig'>;
export type RunStatus = Schema<'Status'>;
export type RunError = Schema<'RunErrorOut'>;
export type FieldError = Schema<'FieldErrorOut'>;
export type Notice = Schema<'NoticeOut'>;
export type Validation = Schema<'ValidationOut'>;
export type Submitted = Schema<'SubmittedOut'>;
export type Intermediate = Schema<'IntermediateOut'>;
export type Execution = Schema<'ExecutionOut'>;
export type Equity = Schema<'EquityOut'>;
export type Trade = Schema<'TradeOut'>;
export type Fill = Schema<'FillOut'>;
export type AccountEvent = Schema<'AccountEventOut'>;
export type MetricsAnswer = Schema<'MetricsOut'>;
export type Drawdown = Schema<'DrawdownOut'>;
export type Charts = Schema<'ChartsOut'>;
export type ExportQuery = NonNullable<operations['export_backtest']['parameters']['query']>;
export type ExportTable = NonNullable<ExportQuery['table']>;
export type ExportFormat = NonNullable<ExportQuery['format']>;
export type MetricDefinition = Schema<'MetricDefinitionOut'>;
export type Manifest = Schema<'ManifestOut'>;
export type LogLine = Schema<'LogOut'>;
export type LogLevel = LogLine['level'];
export type Strategy = Schema<'StrategyOut'>;
export type Bars = Schema<'BarsOut'>;
export type SymbolInfo = Schema<'SymbolOut'>;
export type Ready = Schema<'ReadyOut'>;
export type Queue = Schema<'QueueOut'>;
export type Workers = Schema<'WorkersOut'>;

export const STAGES = ['collect_data', 'indicators', 'simulate', 'save'] as const;
export type Stage = (typeof STAGES)[number];
/** Percent of the whole at which a stage begins and ends. */
export const STAGE_SPAN: Record<Stage, readonly [from: number, to: number]> = {
  collect_data: [0, 5],
  indicators: [5, 10],
  simulate: [10, 95],
  save: [95, 100],
};
export const isStage = (value: unknown): value is Stage => STAGES.includes(value as Stage);

/** Waiting, or being worked on. */
export const ACTIVE: readonly RunStatus[] = ['pending', 'queued', 'running', 'cancelling'];
export const isActive = (status: RunStatus): boolean => ACTIVE.includes(status);
export const isFinal = (status: RunStatus): boolean => !isActive(status);

/** The body of a submission: what is left out has the server's default. */
type Optional<T> = { [K in keyof T]?: T[K] extends object | undefined ? Optional<T[K]> : T[K] };
type Required_ = 'name' | 'strategy_type' | 'symbols';
export type BacktestInput = Pick<Schema<'BacktestIn'>, Required_> &
  Optional<Omit<Schema<'BacktestIn'>, Required_>>;

export type BacktestFilters = Omit<
  NonNullable<operations['list_backtests']['parameters']['query']>,
  'cursor' | 'limit' | 'offset'
>;
export type BacktestSort = NonNullable<BacktestFilters['sort']>;
export type SubmitOptions = NonNullable<operations['submit_backtest']['parameters']['query']>;
/** What the runs of a list can be counted by. */
export type Facet = operations['count_backtests']['parameters']['query']['by'];
export type FacetAnswer = Schema<'FacetOut'>;
export type BulkOutcome = Schema<'OutcomeOut'>;
export type BulkAction = Pick<Schema<'BulkIn'>, 'action' | 'ids'> &
  Partial<Pick<Schema<'BulkIn'>, 'add_tags' | 'remove_tags' | 'starred' | 'priority'>>;
export type BacktestPatch = Schema<'BacktestPatchIn'>;
export type BarsQuery = NonNullable<operations['get_bars']['parameters']['query']>;
