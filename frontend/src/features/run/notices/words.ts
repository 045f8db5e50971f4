import type { Notice } from '@/api';
import type { Tone } from '@/components/Notice';

const TONES: Readonly<Record<string, Tone>> = {
  insolvent: 'danger',
  margin_call: 'warn',
  no_costs: 'warn',
  optimistic_fill: 'warn',
  likely_percent: 'warn',
  few_trades: 'warn',
  gaps: 'warn',
  events_disagree: 'warn',
  survivorship: 'warn',
  symbol_without_bars: 'warn',
  never_decided: 'warn',
  dropped_entries: 'warn',
};
const SERIOUS: readonly Tone[] = ['danger', 'warn', 'info', 'accent'];

export const toneOfNotice = (code: string): Tone => TONES[code] ?? 'info';

/** The worst first; of equal ones, as the server has them. */
export const bySeriousness = (notices: readonly Notice[]): Notice[] =>
  [...notices].sort((a, b) => SERIOUS.indexOf(toneOfNotice(a.code)) - SERIOUS.indexOf(toneOfNotice(b.code)));

const NAMED = 5;

/** What sentences about a notice may name: counts and symbols from its details. */
export function noticeValues({ details }: Notice): Record<string, string | number> {
  const found = details.symbols ?? details.missing;
  const names = Array.isArray(found) ? found.map(String) : isCounts(found) ? Object.keys(found) : [];
  const counts = isCounts(found) ? Object.values(found).reduce((sum, n) => sum + n, 0) : names.length;
  const listed = (value: unknown) => (Array.isArray(value) ? value.length : 0);
  return {
    symbols: names.slice(0, NAMED).join(', ') + (names.length > NAMED ? ` +${names.length - NAMED}` : ''),
    count: typeof details.trades === 'number' ? details.trades : counts || listed(details.bars),
    gaps: listed(details.long_gaps),
    fields: percents(details.fields),
    needed: typeof details.needed === 'number' ? details.needed : 0,
    date: typeof details.date === 'string' ? details.date : '',
    symbol: typeof details.symbol === 'string' ? details.symbol : '',
  };
}

/** `costs.commission_rate = 10%`, as a configuration names them. */
const percents = (fields: unknown) =>
  isCounts(fields)
    ? Object.entries(fields)
        .map(
          ([pointer, value]) =>
            `${pointer.slice(1).replaceAll('/', '.')} = ${+(100 * value).toPrecision(6)}%`,
        )
        .join(', ')
    : '';

const isCounts = (value: unknown): value is Record<string, number> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((n) => typeof n === 'number');
