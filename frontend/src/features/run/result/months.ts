import type { Charts } from '@/api';

export interface Months {
  /** Twelve returns of each year; `null` where there is no bar. */
  monthly: Record<string, (number | null)[]>;
  yearly: Record<string, number>;
}

export function monthsOf({ months, years }: Pick<Charts, 'months' | 'years'>): Months {
  const monthly: Months['monthly'] = {};
  for (const { year, month, return: value } of months) {
    monthly[year] ??= Array.from({ length: 12 }, () => null);
    (monthly[year] as (number | null)[])[month - 1] = value;
  }
  return { monthly, yearly: Object.fromEntries(years.map(({ year, return: value }) => [year, value ?? 0])) };
}
