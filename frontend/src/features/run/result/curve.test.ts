import { describe, expect, it } from 'vitest';
import type { Backtest, Bars, Drawdown } from '@/api';
import { DAY_S, indexAt, timeOf } from '@/lib/series';
import { around, baseFrom, drawdownSpan, firstFrom, rangeSpan, rangesFor, rebased } from './curve';
import { heldSymbol, holdOf } from './hold';
import { monthsOf } from './months';
import { ordered } from './order';
import { waterfallOf } from './waterfall';

const span = (days: number) => [0, days * DAY_S] as const;

describe('ranges', () => {
  it('are those that show less than the whole', () => {
    expect(rangesFor(span(0))).toEqual(['all']);
    expect(rangesFor(span(25))).toEqual(['all']);
    expect(rangesFor(span(250))).toEqual(['1m', '6m', 'all']);
    expect(rangesFor(span(3650))).toEqual(['1y', '3y', '5y', 'all']);
  });

  it('are the end of the run', () => {
    expect(rangeSpan('1m', span(100))).toEqual([70 * DAY_S, 100 * DAY_S]);
    expect(rangeSpan('all', span(100))).toBeNull();
  });

  it('have room on both sides, inside the run', () => {
    expect(around([10, 20], [0, 100], 2)).toEqual([5, 25]);
    expect(around([10, 20], [8, 21], 60)).toEqual([8, 21]);
  });

  it('a drawdown without recovery goes to the end', () => {
    const item = { peak_date: '2020-01-01', trough_date: '2020-02-01', recovery_date: null } as Drawdown;
    expect(drawdownSpan(item, [0, 99])).toEqual([timeOf('2020-01-01'), 99]);
    expect(drawdownSpan({ ...item, recovery_date: '2020-03-01' }, [0, 99])[1]).toBe(timeOf('2020-03-01'));
  });
});

it('the point at or before a time', () => {
  expect([-1, 0, 4, 5, 6, 99].map((time) => indexAt([0, 5, 6], time))).toEqual([0, 0, 0, 1, 2, 2]);
});

it('growth is against the value at its beginning', () => {
  expect(rebased([50, 100, null, 150], 100)).toEqual([0.5, 1, null, 1.5]);
  expect(rebased([0, 1], 0)).toEqual([null, null]);
  expect(rebased([null, 1], null)).toEqual([null, null]);
  expect(rebased([], 1)).toEqual([]);
});

it('a window begins with its first bar, and a line that begins later with its own', () => {
  expect([-1, 0, 1, 5, 6, 99].map((time) => firstFrom([0, 5, 6], time))).toEqual([0, 0, 1, 1, 2, 2]);
  expect(baseFrom([50, 100, 150], 1)).toBe(100);
  expect(baseFrom([50, null, 150], 1)).toBe(150);
  expect(baseFrom([50, null], 1)).toBeNull();
  expect(baseFrom([], 0)).toBeNull();
});

describe('holding', () => {
  const run = (part: object) =>
    ({
      strategy_type: 'sma_crossover',
      config: { symbols: ['AAPL'], benchmark: 'SPX' },
      ...part,
    }) as Backtest;
  const bars = (closes: number[], total = closes.length): Bars => ({
    symbol: 'AAPL',
    source: 'demo',
    timeframe: '1d',
    calendar: 'XNYS',
    adjusted: true,
    total_bars: total,
    bars: closes.map((close, i) => ({ date: `2020-01-0${i + 1}`, open: close - 1, close })),
  });
  const times = [1, 2, 3, 4].map((day) => timeOf(`2020-01-0${day}`));

  it('is of the only symbol, where the run or its benchmark does not hold it anyway', () => {
    expect(heldSymbol(run({}))).toBe('AAPL');
    expect(heldSymbol(run({ strategy_type: 'buy_and_hold' }))).toBeNull();
    expect(heldSymbol(run({ config: { symbols: ['AAPL'], benchmark: 'AAPL' } }))).toBeNull();
    expect(heldSymbol(run({ config: { symbols: ['AAPL', 'IBM'], benchmark: null } }))).toBeNull();
  });

  it('begins with the whole capital at the first close', () => {
    const hold = holdOf(bars([10, 20, 5, 15]), times, 1000);
    expect(hold?.values).toEqual([1000, 2000, 500, 1500]);
    expect(hold?.totalReturn).toBeCloseTo(0.5);
    expect(hold?.maxDrawdown).toBeCloseTo(-0.75);
  });

  it('thinned prices begin at the first open, and say nothing of the falls between them', () => {
    const hold = holdOf(bars([10, 20, 5, 15], 4000), times, 900);
    expect(hold?.values[0]).toBe(1000);
    expect(hold?.maxDrawdown).toBeNull();
  });

  it('a run after the last price, and no price at all', () => {
    expect(holdOf(bars([]), times, 1000)).toBeNull();
    expect(holdOf(bars([10]), [timeOf('2021-01-01')], 1000)).toBeNull();
    expect(holdOf(bars([10]), [], 1000)).toBeNull();
  });
});

it('months stand in their year; those without a bar are empty', () => {
  const months = [
    { year: 2020, month: 2, return: 0.1, turnover: 0 },
    { year: 2021, month: 12, return: -0.2, turnover: null },
  ];
  const { monthly, yearly } = monthsOf({ months, years: [{ year: 2020, return: 0.1 }] });
  expect(monthly[2020]?.slice(0, 3)).toEqual([null, 0.1, null]);
  expect(monthly[2021]).toHaveLength(12);
  expect(monthly[2021]?.[11]).toBe(-0.2);
  expect(yearly).toEqual({ 2020: 0.1 });
});

it('rows without a value come last, either way', () => {
  const rows = [{ v: 2 }, { v: null }, { v: 3 }, { v: 1 }];
  expect(ordered(rows, (row) => row.v, true).map(({ v }) => v)).toEqual([3, 2, 1, null]);
  expect(ordered(rows, (row) => row.v, false).map(({ v }) => v)).toEqual([1, 2, 3, null]);
});

describe('costs', () => {
  const run = (costs: object | null, total: number | null = 0.1) =>
    ({ initial_capital: 1000, metrics: { total_return: total }, costs }) as unknown as Backtest;

  it('lead from what prices alone earned to what was left', () => {
    const found = waterfallOf(
      run({ commission: 10, slippage: 5, borrow: 0, dividends: 20, cash_in_lieu: 0 }),
    );
    expect(found).toEqual({
      gross: 95,
      parts: [
        { kind: 'commission', money: -10 },
        { kind: 'slippage', money: -5 },
        { kind: 'dividends', money: 20 },
      ],
      net: 100,
      paid: 15,
    });
  });

  it('are unknown in the result of an older version', () => {
    expect(waterfallOf(run(null))).toBeNull();
    expect(waterfallOf(run({ commission: 1 }, null))).toBeNull();
  });
});
