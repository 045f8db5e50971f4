import { expect, it } from 'vitest';
import type { BacktestSummary, BulkOutcome } from '@/api';
import { firstAndMore } from './FilterBar';
import { stateOf } from './TagPicker';
import { refusals } from './use-actions';
import { letterOf } from './use-keys';
import { pagesOf } from './use-window';

it('only the pages in sight are read, and the next one before it is reached', () => {
  expect(pagesOf(0, 20, 50_000)).toBe('0');
  expect(pagesOf(0, 70, 50_000)).toBe('0,1');
  expect(pagesOf(29_530, 29_560, 50_000)).toBe('294,295,296');
  expect(pagesOf(49_970, 49_999, 50_000)).toBe('499');
  expect(pagesOf(0, 14, 3)).toBe('0');
  expect(pagesOf(0, 0, 0)).toBe('0');
});

it('single keys work with the Korean keyboard on', () => {
  expect(letterOf({ key: 'j', code: 'KeyJ' })).toBe('j');
  expect(letterOf({ key: 'X', code: 'KeyX' })).toBe('x');
  expect(letterOf({ key: 'ㅓ', code: 'KeyJ' })).toBe('j');
  expect(letterOf({ key: '/', code: 'Digit7' })).toBe('/');
  // another layout: the letter that is printed counts, not where it is
  expect(letterOf({ key: 'x', code: 'KeyB' })).toBe('x');
  expect(letterOf({ key: 'Enter', code: 'Enter' })).toBe('Enter');
});

it('refusals are counted by their reason', () => {
  const outcome = (code: string | null): BulkOutcome => ({
    backtest_id: 'bt-000000000000',
    status: null,
    new_backtest_id: null,
    error: code === null ? null : { code, detail: `${code}.` },
  });
  expect([...refusals([outcome(null), outcome('conflict'), outcome('x'), outcome('conflict')])]).toEqual([
    ['conflict', { count: 2, detail: 'conflict.' }],
    ['x', { count: 1, detail: 'x.' }],
  ]);
});

it('a tag of some is neither on nor off', () => {
  const runs = [{ tags: ['a', 'b'] }, { tags: ['a'] }] as BacktestSummary[];
  expect([stateOf('a', runs), stateOf('b', runs), stateOf('c', runs)]).toEqual(['all', 'some', 'none']);
});

it('a chip shows the first value and how many more', () => {
  expect([firstAndMore([]), firstAndMore(['AAPL']), firstAndMore(['AAPL', 'IBM', 'KO'])]).toEqual([
    null,
    'AAPL',
    'AAPL +2',
  ]);
});
