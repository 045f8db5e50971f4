/** What the form holds: the API's configuration with every field present, and how it is to be submitted. */
import type { BacktestConfig, BacktestInput, Schema, Strategy, SubmitOptions } from '@/api';
import type { Period } from './period';

/** A number field that is emptied is `null`: what is left out has the API's default. */
type Loose<T> = {
  [K in keyof T]-?: Exclude<T[K], undefined> extends number | null ? number | null : Exclude<T[K], undefined>;
};
export type Costs = Loose<Schema<'Costs'>>;
export type Risk = Loose<Schema<'Risk'>>;
export type Sizing = Loose<Schema<'Sizing'>>;
export type Execution = Omit<Loose<Schema<'Execution'>>, 'sizing'> & { sizing: Sizing };
export type Timeframe = BacktestConfig['timeframe'];
export type Priority = NonNullable<SubmitOptions['priority']>;
export type Parameters = Readonly<Record<string, unknown>>;

export interface Draft {
  name: string;
  strategy_type: string;
  /** Only what was set; the rest has the strategy's defaults. */
  parameters: Parameters;
  symbols: string[];
  /** Wanted days; `null` is as far as the data go. What is sent is clamped to the data. */
  start_date: string | null;
  end_date: string | null;
  timeframe: Timeframe;
  data_source: string | null;
  initial_capital: number | null;
  benchmark: string | null;
  risk_free_rate: number | null;
  periods_per_year: number | null;
  execution: Execution;
  costs: Costs;
  risk: Risk;
  tags: string[];
  priority: Priority;
  wait_for_data: boolean;
}

/** What the API takes for what is left out; a test holds this to the API's own description. */
export const API_DEFAULTS = {
  timeframe: '1d',
  initial_capital: 100_000,
  risk_free_rate: 0,
  execution: {
    fill: 'next_open',
    fractional_shares: true,
    direction: 'long_only',
    max_leverage: 1,
    maintenance_margin: null,
    sizing: { type: 'percent_equity', value: null },
    price_mode: 'adjusted',
    dividends: 'cash',
  },
  costs: {
    commission_rate: 0,
    commission_per_share: 0,
    commission_fixed: 0,
    commission_min: 0,
    slippage_bps: 0,
    borrow_rate: 0,
  },
  risk: { stop_loss: null, take_profit: null, trailing_stop: null, stops_active: 'entry_bar' },
} as const satisfies Partial<Draft>;

export const RULES = 'rules';
export const FIRST_STRATEGY = 'sma_crossover';

/** A new form: costs as most people pay them, everything else as the API has it. */
export const NEW_DRAFT: Draft = {
  ...API_DEFAULTS,
  name: '',
  strategy_type: FIRST_STRATEGY,
  parameters: {},
  symbols: [],
  start_date: null,
  end_date: null,
  data_source: null,
  benchmark: null,
  periods_per_year: null,
  costs: { ...API_DEFAULTS.costs, commission_rate: 0.001, slippage_bps: 2 },
  tags: [],
  priority: 'normal',
  wait_for_data: false,
};

/** Those that a source has, daily bars first. */
export const timeframesOf = (
  source: { timeframes: Readonly<Record<string, number>> } | undefined,
): Timeframe[] =>
  TIMEFRAMES.filter((one) => source?.timeframes[one]).sort((a, b) => Number(b === '1d') - Number(a === '1d'));
const TIMEFRAMES: readonly Timeframe[] = ['1m', '5m', '15m', '30m', '1h', '1d', '1w'];

const BENCHMARKS = ['SPX', 'SPY', '^GSPC', 'KS200'];

/** A new form for what the source holds: one symbol that is not a benchmark, and a benchmark to hold it against. */
export function newDraft(
  known: readonly string[],
  strategy = FIRST_STRATEGY,
  timeframe: Timeframe = API_DEFAULTS.timeframe,
): Draft {
  const benchmark = BENCHMARKS.find((symbol) => known.includes(symbol)) ?? null;
  const first = known.find((symbol) => symbol !== benchmark) ?? known[0];
  return { ...NEW_DRAFT, strategy_type: strategy, timeframe, symbols: first ? [first] : [], benchmark };
}

/** A form with everything that a run was made of. */
export function draftOf(config: BacktestConfig, defaults: Parameters = {}): Draft {
  const { execution, costs, risk, parameters, ...plain } = config;
  return {
    ...NEW_DRAFT,
    ...plain,
    parameters: Object.fromEntries(
      Object.entries(parameters).filter(([name, value]) => !same(value, defaults[name])),
    ),
    symbols: [...config.symbols],
    start_date: config.start_date ?? null,
    end_date: config.end_date ?? null,
    data_source: config.data_source ?? null,
    benchmark: config.benchmark ?? null,
    periods_per_year: config.periods_per_year ?? null,
    execution: {
      ...API_DEFAULTS.execution,
      ...execution,
      sizing: { ...API_DEFAULTS.execution.sizing, ...execution.sizing },
    },
    costs: { ...API_DEFAULTS.costs, ...costs },
    risk: { ...API_DEFAULTS.risk, ...risk },
    tags: [...config.tags],
  };
}

interface Given {
  /** The name when the form has none. */
  suggestedName: string;
  period: Period;
  strategy: Strategy | undefined;
}

/** The body of a submission: only what differs from the API's defaults, but the strategy's parameters in full. */
export function toInput(draft: Draft, { suggestedName, period, strategy }: Given): BacktestInput {
  const { sizing, ...execution } = draft.execution;
  const options = changed(
    {
      start_date: period.start,
      end_date: period.end,
      timeframe: draft.timeframe,
      data_source: draft.data_source,
      initial_capital: draft.initial_capital,
      benchmark: draft.benchmark,
      risk_free_rate: draft.risk_free_rate,
      periods_per_year: draft.periods_per_year,
      execution: changed(
        { ...execution, sizing: changed(sizing, API_DEFAULTS.execution.sizing) },
        API_DEFAULTS.execution,
      ),
      costs: changed(draft.costs, API_DEFAULTS.costs),
      risk: changed(draft.risk, API_DEFAULTS.risk),
      tags: draft.tags,
    },
    { ...API_DEFAULTS, tags: [] },
  );
  return {
    name: draft.name.trim() || suggestedName,
    strategy_type: draft.strategy_type,
    parameters: parametersOf(draft, strategy),
    symbols: draft.symbols,
    ...(options as Partial<BacktestInput>),
  };
}

export function optionsOf(draft: Draft, useCache: boolean): SubmitOptions {
  return {
    ...(useCache ? {} : { use_cache: false }),
    ...(draft.priority === 'normal' ? {} : { priority: draft.priority }),
    ...(draft.wait_for_data ? { wait_for_data: true } : {}),
  };
}

/** All parameters of a strategy, so that a file says what it ran with; of rules only what is written. */
function parametersOf(draft: Draft, strategy: Strategy | undefined): Record<string, unknown> {
  const all =
    draft.strategy_type === RULES ? draft.parameters : { ...strategy?.defaults, ...draft.parameters };
  return Object.fromEntries(
    Object.entries(all).filter(
      ([name, value]) => value !== null || (strategy?.defaults[name] ?? null) !== null,
    ),
  );
}

/** The entries that are set, and not to what is taken without them. */
function changed<T extends object>(values: T, defaults: Partial<Record<keyof T, unknown>>): Partial<T> {
  return Object.fromEntries(
    Object.entries(values).filter(
      ([name, value]) =>
        value !== null && !same(value, defaults[name as keyof T]) && !(isPlain(value) && isEmpty(value)),
    ),
  ) as Partial<T>;
}

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isEmpty = (value: object) => Object.keys(value).length === 0;

/** Equal as JSON, whatever the order of names. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => name in right && same(left[name], right[name]))
  );
}
