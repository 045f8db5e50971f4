import { expect, it } from 'vitest';
import { hasFilters, nextSort, readRunsSearch, sameView, toFilters, viewOf, withoutFilters } from './search';

const NOW = Date.parse('2026-11-26T15:00:00Z');

it('reads what a person could have typed, and leaves out the rest', () => {
  const read = readRunsSearch({
    view: 'failed',
    q: 2024,
    status: 'failed',
    tag: ['costs', 7, '', { no: 1 }],
    symbol: [],
    since: 'fortnight',
    from: '2026-1-1',
    to: '2026-03-31',
    starred: 'yes',
    bin: true,
    min_sharpe: '1.5',
    max_dd: 'deep',
    sort: '-owner_id',
    unknown: 1,
  });
  expect(read).toEqual({
    view: 'failed',
    q: '2024',
    status: ['failed'],
    tag: ['costs', '7'],
    to: '2026-03-31',
    bin: true,
    min_sharpe: 1.5,
  });
  expect(readRunsSearch({ status: ['failed', 'exploded'], sort: '-created_at' })).toEqual({
    status: ['failed'],
  });
  expect(readRunsSearch({ sort: '-execution_seconds' }).sort).toBe('-execution_seconds');
});

it('asks the server in fractions and whole days', () => {
  expect(
    toFilters(
      { q: 'x', strategy: ['macd'], to: '2026-03-31', min_return: -20, max_dd: 30, max_trades: 9 },
      NOW,
    ),
  ).toEqual({
    q: 'x',
    strategy_type: ['macd'],
    created_to: '2026-03-31T23:59:59.999Z',
    min_total_return: -0.2,
    min_max_drawdown: -0.3,
    max_trades: 9,
    sort: '-created_at',
  });
  expect(toFilters({ since: 'week', from: '2020-01-01' }, NOW).created_from).toBe('2026-11-19T15:00:00.000Z');
  expect(toFilters({ bin: true }, NOW)).toEqual({ deleted: true, sort: '-created_at' });
});

it('knows what is a filter and what is not', () => {
  expect(hasFilters({ sort: 'name', bin: true, view: 'v-1', details: 'bt-1' })).toBe(false);
  expect(hasFilters({ min_trades: 0 })).toBe(true);
  expect(withoutFilters({ q: 'x', sort: 'name', bin: true, max_dd: 3 })).toEqual({ sort: 'name', bin: true });
});

it('compares views by what they show', () => {
  expect(sameView({ q: 'x', tag: ['a'] }, { tag: ['a'], q: 'x', view: 'v-1', details: 'bt-1' })).toBe(true);
  expect(sameView({ tag: ['a', 'b'] }, { tag: ['b'] })).toBe(false);
  expect(viewOf({ view: 'failed', details: 'x', q: undefined, tag: [] })).toEqual({});
});

it('sorts a column in its natural direction first, then the other way', () => {
  expect(nextSort('-created_at', 'sharpe')).toBe('-sharpe');
  expect(nextSort('-sharpe', 'sharpe')).toBe('sharpe');
  expect(nextSort('sharpe', 'sharpe')).toBe('-sharpe');
  expect(nextSort('-created_at', 'name')).toBe('name');
  expect(nextSort('name', 'name')).toBe('-name');
  // the deepest fall is the smallest number
  expect(nextSort('-created_at', 'max_drawdown')).toBe('max_drawdown');
});
