import { expect, it } from 'vitest';
import { crossings, movingAverage } from './excerpt';

it('an average has no value before it has all its bars', () => {
  expect(movingAverage([1, 2, 3, 4], 3)).toEqual([null, null, 2, 3]);
});

it('an order that a close decides fills at the next bar, and the last close decides nothing any more', () => {
  const fast = [null, 1, 3, 3, 1, 3];
  const slow = [null, 2, 2, 2, 2, 2];
  expect(crossings(fast, slow)).toEqual([
    { bar: 3, kind: 'entry' },
    { bar: 5, kind: 'exit' },
  ]);
});
