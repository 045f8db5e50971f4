import { describe, expect, it } from 'vitest';
import type { Trade } from '@/api';
import { timeOf } from '@/lib/series';
import {
  marksOf,
  nearestTrade,
  numbered,
  sizeOfMarks,
  spanOfTrade,
  tradesIn,
  withOutcome,
} from './trade-view';

const trade = (part: Partial<Trade>): Trade => ({
  symbol: 'AAPL',
  side: 'long',
  entry_date: '2020-01-02',
  exit_date: '2020-01-10',
  entry_price: 1,
  exit_price: 2,
  shares: 1,
  profit: 1,
  return: 1,
  costs: 0,
  bars: 6,
  reason: 'signal',
  ...part,
});
const TRADES = numbered([
  trade({}),
  trade({ side: 'short', entry_date: '2020-02-03', exit_date: '2020-02-20', profit: -1 }),
  trade({ entry_date: '2020-03-02', exit_date: null, reason: 'open', profit: 0 }),
]);
const [LONG, SHORT, OPEN] = TRADES as [(typeof TRADES)[0], (typeof TRADES)[0], (typeof TRADES)[0]];

it('arrows point up where shares were bought', () => {
  expect(marksOf(LONG).map(({ kind }) => kind)).toEqual(['entry', 'exit']);
  expect(marksOf(SHORT).map(({ kind, color }) => [kind, color])).toEqual([
    ['exit', 'accent'],
    ['entry', 'loss'],
  ]);
  expect(marksOf(OPEN)).toHaveLength(1);
});

it('a click means the trade with the nearest arrow', () => {
  expect(nearestTrade(TRADES, timeOf('2020-01-09'))).toBe(1);
  expect(nearestTrade(TRADES, timeOf('2020-02-04'))).toBe(2);
  expect(nearestTrade(TRADES, timeOf('2021-01-01'))).toBe(3);
  expect(nearestTrade([], 0)).toBeUndefined();
});

it('the time around a trade has room for what came before it', () => {
  const [from, to] = spanOfTrade(LONG, '1d', 0);
  expect(from).toBeLessThan(timeOf('2019-12-01'));
  expect(to).toBeGreaterThan(timeOf('2020-02-01'));
  const [, end] = spanOfTrade(OPEN, '1h', timeOf('2020-03-05'));
  expect(end).toBeGreaterThan(timeOf('2020-03-05'));
});

describe('outcomes', () => {
  it('a trade that earned nothing is no win', () => {
    expect(withOutcome(TRADES, 'all')).toBe(TRADES);
    expect(withOutcome(TRADES, 'wins').map(({ number }) => number)).toEqual([1]);
    expect(withOutcome(TRADES, 'losses').map(({ number }) => number)).toEqual([2, 3]);
  });
});

it('only trades of the time that is shown have arrows', () => {
  const found = tradesIn(TRADES, [timeOf('2020-01-09'), timeOf('2020-02-01')]);
  expect(found.map(({ number }) => number)).toEqual([1]);
  expect(tradesIn(TRADES, [timeOf('2020-05-01'), timeOf('2020-06-01')])).toEqual([OPEN]);
});

it('many arrows are small ones', () => {
  expect([10, 100, 1000].map(sizeOfMarks)).toEqual([undefined, 0.5, 0.3]);
});
