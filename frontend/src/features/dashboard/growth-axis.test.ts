import { describe, expect, it } from 'vitest';
import { growth, legibleTicks } from './growth-axis';

const WIDTH = 304;
const scale = (least: number, most: number) => (value: number) =>
  ((growth(value) - growth(least)) / (growth(most) - growth(least))) * WIDTH;

describe('legibleTicks', () => {
  it.each([
    [-0.6, 1.5],
    [-0.5, 10],
    [-0.99, 900],
    [-0.2, 0.3],
  ])('leaves room between labels for returns from %d to %d, and keeps zero', (least, most) => {
    const x = scale(least, most);
    const at = legibleTicks(x, WIDTH)
      .map(x)
      .sort((a, b) => a - b);
    expect(at).toContain(x(0));
    for (const [i, here] of at.entries()) {
      expect(here).toBeGreaterThanOrEqual(21);
      expect(here).toBeLessThanOrEqual(WIDTH - 21);
      if (i > 0) expect(here - (at[i - 1] as number)).toBeGreaterThanOrEqual(42);
    }
  });

  it('shows more than zero where there is room', () => {
    expect(legibleTicks(scale(-0.6, 3), WIDTH)).toEqual([0, 1, -0.5]);
  });
});
