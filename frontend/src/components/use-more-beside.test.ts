import { expect, it } from 'vitest';
import { hasMore } from './use-more-beside';

it('a table goes on until its end is in sight', () => {
  const at = (scrollLeft: number) => hasMore({ scrollLeft, scrollWidth: 560, clientWidth: 340 });
  expect([0, 100, 219.5, 220].map(at)).toEqual([true, true, false, false]);
  expect(hasMore({ scrollLeft: 0, scrollWidth: 340, clientWidth: 340 })).toBe(false);
});
