export interface Order {
  id: string;
  down: boolean;
}

/** Sorted by a value; rows without one come last, either way. Equal ones keep their order. */
export function ordered<T>(
  rows: readonly T[],
  by: (row: T) => number | string | null,
  down: boolean,
): readonly T[] {
  const sign = down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [by(a), by(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return x < y ? -sign : x > y ? sign : 0;
  });
}
