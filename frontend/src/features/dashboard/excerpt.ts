/** The demo's rule on real bars, for the picture on the first visit: what the server will compute, in small. */

export function movingAverage(values: readonly number[], length: number): (number | null)[] {
  let sum = 0;
  return values.map((value, i) => {
    sum += value - (values[i - length] ?? 0);
    return i + 1 < length ? null : sum / length;
  });
}

export interface Crossing {
  /** The bar at whose open the order fills. */
  bar: number;
  kind: 'entry' | 'exit';
}

/** Long while the fast average is above the slow one: decided at a close, filled at the next open. */
export function crossings(fast: readonly (number | null)[], slow: readonly (number | null)[]): Crossing[] {
  const found: Crossing[] = [];
  let held: boolean | null = null;
  for (let bar = 0; bar + 1 < fast.length; bar += 1) {
    const [a, b] = [fast[bar], slow[bar]];
    if (a == null || b == null) continue;
    const wanted = a > b;
    if (held !== null && wanted !== held) found.push({ bar: bar + 1, kind: wanted ? 'entry' : 'exit' });
    held = wanted;
  }
  return found;
}
