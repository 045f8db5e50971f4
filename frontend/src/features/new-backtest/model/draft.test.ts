import { describe, expect, it } from 'vitest';
import type { BacktestConfig, Strategy } from '@/api';
import openapi from '../../../../openapi.json?raw';
import { API_DEFAULTS, draftOf, NEW_DRAFT, newDraft, optionsOf, RULES, same, toInput } from './draft';
import type { Period } from './period';

const sma = {
  name: 'sma_crossover',
  defaults: { fast: 20, slow: 50, signal: 'level' },
} as unknown as Strategy;
const open: Period = { start: null, end: null };
const input = (draft: Parameters<typeof toInput>[0], period = open) =>
  toInput(draft, { suggestedName: 'SMA, AAPL', period, strategy: sma });

const config = {
  name: 'Whole',
  strategy_type: 'sma_crossover',
  parameters: { fast: 10, slow: 50, signal: 'level' },
  symbols: ['AAPL', 'IBM'],
  start_date: '2005-01-03',
  end_date: '2012-12-31',
  timeframe: '1d',
  data_source: 'demo',
  initial_capital: 50_000,
  benchmark: 'SPX',
  risk_free_rate: 0.01,
  periods_per_year: 252,
  execution: {
    fill: 'next_close',
    fractional_shares: false,
    direction: 'long_short',
    max_leverage: 2,
    maintenance_margin: 0.25,
    sizing: { type: 'fixed_cash', value: 1000 },
    price_mode: 'raw',
    dividends: 'reinvest',
  },
  costs: {
    commission_rate: 0.0005,
    commission_per_share: 0.005,
    commission_fixed: 1,
    commission_min: 2,
    slippage_bps: 3,
    borrow_rate: 0.02,
  },
  risk: { stop_loss: 0.1, take_profit: 0.5, trailing_stop: 0.2, stops_active: 'next_bar' },
  tags: ['a', 'b'],
} satisfies BacktestConfig;

describe('a draft', () => {
  it('has the defaults that the API has', () => {
    const schemas = JSON.parse(openapi).components.schemas as Record<
      string,
      { properties: Record<string, { default?: unknown; $ref?: string }> }
    >;
    const described = (name: string) => schemas[name]?.properties ?? {};
    for (const [section, name] of [
      ['execution', 'Execution'],
      ['costs', 'Costs'],
      ['risk', 'Risk'],
    ] as const) {
      const { sizing: _, ...ours } = { sizing: null, ...API_DEFAULTS[section] };
      expect(Object.keys(ours).sort()).toEqual(
        Object.keys(described(name))
          .filter((field) => field !== 'sizing')
          .sort(),
      );
      for (const [field, value] of Object.entries(ours)) {
        expect([field, value]).toEqual([field, described(name)[field]?.default ?? null]);
      }
    }
    expect(API_DEFAULTS.execution.sizing).toEqual({ type: described('Sizing').type?.default, value: null });
    for (const field of ['timeframe', 'initial_capital', 'risk_free_rate'] as const) {
      expect(API_DEFAULTS[field]).toBe(described('BacktestIn')[field]?.default);
    }
    const fields = Object.keys(described('BacktestIn'));
    expect(fields.filter((field) => !(field in NEW_DRAFT))).toEqual([]);
  });

  it('is a run again, with every field', () => {
    const draft = draftOf(config, sma.defaults);
    expect(draft.parameters).toEqual({ fast: 10 });
    expect(input(draft, { start: draft.start_date, end: draft.end_date })).toEqual(
      Object.fromEntries(Object.entries(config).filter(([name]) => name !== 'timeframe')),
    );
  });

  it('is sent without what the API takes anyway', () => {
    const draft = { ...newDraft(['AAPL', 'SPX']), costs: API_DEFAULTS.costs };
    expect(input(draft)).toEqual({
      name: 'SMA, AAPL',
      strategy_type: 'sma_crossover',
      parameters: { fast: 20, slow: 50, signal: 'level' },
      symbols: ['AAPL'],
      benchmark: 'SPX',
    });
  });

  it('leaves out emptied numbers and rules that are not written', () => {
    const emptied = {
      ...NEW_DRAFT,
      initial_capital: null,
      costs: { ...API_DEFAULTS.costs, slippage_bps: null },
    };
    expect(input(emptied)).not.toHaveProperty('costs');
    expect(input(emptied)).not.toHaveProperty('initial_capital');
    const rules = { ...NEW_DRAFT, strategy_type: RULES, parameters: { entry: 'close > 1' } };
    const strategy = {
      name: RULES,
      defaults: { entry: null, exposure: 1, values: {} },
    } as unknown as Strategy;
    expect(toInput(rules, { suggestedName: 'x', period: open, strategy }).parameters).toEqual({
      entry: 'close > 1',
    });
  });

  it('keeps a null that is not the default', () => {
    const strategy = { name: 'x', defaults: { cap: 1, stop: null } } as unknown as Strategy;
    const draft = { ...NEW_DRAFT, parameters: { cap: null, stop: null } };
    expect(toInput(draft, { suggestedName: 'x', period: open, strategy }).parameters).toEqual({ cap: null });
  });

  it('begins with a symbol that is no benchmark, or with none', () => {
    expect(newDraft(['SPX', 'FB'])).toMatchObject({ symbols: ['FB'], benchmark: 'SPX' });
    expect(newDraft(['SPX'])).toMatchObject({ symbols: ['SPX'] });
    expect(newDraft([])).toMatchObject({ symbols: [], benchmark: null });
  });

  it('asks for a place in the queue only where it is not the usual one', () => {
    expect(optionsOf(NEW_DRAFT, true)).toEqual({});
    expect(optionsOf({ ...NEW_DRAFT, priority: 'high', wait_for_data: true }, false)).toEqual({
      use_cache: false,
      priority: 'high',
      wait_for_data: true,
    });
  });
});

describe('equality', () => {
  it('is that of JSON', () => {
    expect(same({ a: [1, { b: 2 }], c: null }, { c: null, a: [1, { b: 2 }] })).toBe(true);
    expect(same([], {})).toBe(false);
    expect(same({ a: 1 }, { a: 1, b: undefined })).toBe(false);
    expect(same(null, {})).toBe(false);
  });
});
