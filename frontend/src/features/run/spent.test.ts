import { expect, it } from 'vitest';
import { createFormatter } from '@/lib/format';
import { spentText } from './spent';

it('a run takes what it was computed for, and one with the result of another takes nothing', () => {
  const f = createFormatter('en');
  expect(spentText(f, { execution_seconds: 0.0492, cached_from: null })).toBe('49 ms');
  expect(spentText(f, { execution_seconds: 27.4, cached_from: null })).toBe('27 s');
  expect(spentText(f, { execution_seconds: null, cached_from: null })).toBeUndefined();
  expect(spentText(f, { execution_seconds: 0.1, cached_from: 'bt-1' })).toBeUndefined();
});
