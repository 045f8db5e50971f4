/** Times of columnar series, in seconds, and where they stand in them. */

export const DAY_S = 86_400;

/** UTC seconds of an ISO date or moment, as charts count time. */
export const timeOf = (iso: string) => Math.floor(Date.parse(iso) / 1000);

/** `2005-01-03`, and for a time within a day `2005-01-03 14:30`. */
export function momentOf(time: number): string {
  const text = new Date(time * 1000).toISOString();
  return time % DAY_S === 0 ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 16)}`;
}

/** Index of the last point at or before a time. */
export function indexAt(t: readonly number[], time: number): number {
  let low = 0;
  let high = t.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((t[middle] as number) <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}
