import type { Formatter } from '@/lib/format';

/** Money on an axis: short, unless the values are so near to each other that short ones would all read the same. */
export function axisMoney(f: Formatter, values: readonly (number | null)[]): (value: number) => string {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const compact = high - low > 0.04 * Math.max(Math.abs(low), Math.abs(high));
  return (value) => f.money(value, { compact });
}

/** Falls on an axis; shallow ones need a digit to differ. */
export function axisFall(f: Formatter, values: readonly (number | null)[]): (value: number) => string {
  const deepest = values.reduce<number>((least, value) => Math.min(least, value ?? 0), 0);
  const digits = deepest > -0.04 ? 1 : 0;
  return (value) => f.percent(value, { digits });
}

const ROUND = [1, 2, 2.5, 5];

/** How many bins apart the labels of a histogram stand: on round numbers, at most `most` of them. */
export function labelStep(width: number, bins: number, most: number): number {
  const least = Math.max(1, Math.ceil(bins / most));
  for (let step = least; step < 4 * least; step += 1) {
    const value = step * width;
    const mantissa = value / 10 ** Math.floor(Math.log10(value) + 1e-9);
    if (ROUND.some((round) => Math.abs(mantissa - round) < 1e-6)) return step;
  }
  return least;
}
