import { describe, expect, it } from 'vitest';
import { withRoom } from './time-chart-options';

describe('the axis of a line', () => {
  it('is the line’s own when it moves', () => {
    expect(withRoom({ minValue: 99_000, maxValue: 101_000 })).toEqual({
      minValue: 99_000,
      maxValue: 101_000,
    });
  });

  it('has room around a line that does not, so that its labels differ', () => {
    expect(withRoom({ minValue: 100_000, maxValue: 100_000 })).toEqual({
      minValue: 99_500,
      maxValue: 100_500,
    });
    expect(withRoom({ minValue: 0, maxValue: 0 })).toEqual({ minValue: -1, maxValue: 1 });
    expect(withRoom({ minValue: -2, maxValue: -2 })).toEqual({ minValue: -2.01, maxValue: -1.99 });
  });
});
