import { expect, it } from 'vitest';
import { differentResults } from './attempts';

it('a repeated or reused result is one attempt', () => {
  const run = (backtest_id: string, fingerprint: string | null) => ({ backtest_id, fingerprint });
  expect(differentResults([run('bt-1', 'a'), run('bt-2', 'a'), run('bt-3', 'b')])).toBe(2);
  expect(differentResults([run('bt-1', null), run('bt-2', null)])).toBe(2);
  expect(differentResults([])).toBe(0);
});
