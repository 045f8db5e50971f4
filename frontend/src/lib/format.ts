/** The only place that turns numbers and dates into text. `null` is an em dash everywhere. */
import type { Language } from '@/i18n';

export const EM_DASH = '—';
const MINUS = '−';
const DAY_MS = 86_400_000;
/** From here on nobody counts digits: +1.2M%, $3.4B. */
const HUGE_PERCENT = 1000;
const HUGE_MONEY = 1e10;

export interface Formatter {
  number(value: number | null | undefined, digits?: number): string;
  integer(value: number | null | undefined): string;
  /** A fraction as percent. `signed` adds + to gains; drawdown and volatility stay unsigned. */
  percent(value: number | null | undefined, options?: { signed?: boolean; digits?: number }): string;
  money(value: number | null | undefined, options?: { signed?: boolean; compact?: boolean }): string;
  price(value: number | null | undefined): string;
  date(value: string | number): string;
  isoDate(value: string | number): string;
  dateTime(value: string): string;
  /** Of a log line: `06:29:28.7`, UTC. */
  clock(value: string): string;
  ago(value: string, now: number): string;
  duration(seconds: number | null | undefined): string;
  bytes(value: number | null | undefined): string;
}

/** Making a format takes a thousand times as long as using it. */
function kept<O, F>(make: (locale: string, options: O) => F): (locale: string, options: O) => F {
  const cache = new Map<string, F>();
  return (locale, options) => {
    const key = locale + JSON.stringify(options);
    const format = cache.get(key) ?? make(locale, options);
    cache.set(key, format);
    return format;
  };
}

const numberFormat = kept(
  (locale, options: Intl.NumberFormatOptions) => new Intl.NumberFormat(locale, options),
);
const dateFormat = kept(
  (locale, options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' }),
);
const relativeFormat = kept(
  (locale, options: Intl.RelativeTimeFormatOptions) => new Intl.RelativeTimeFormat(locale, options),
);

const toDate = (value: string | number) =>
  typeof value === 'number' ? new Date(value * DAY_MS) : new Date(value);

export function createFormatter(language: Language): Formatter {
  const locale = language === 'ko' ? 'ko-KR' : 'en-US';
  const put = (value: number | null | undefined, options: Intl.NumberFormatOptions) =>
    value === null || value === undefined || !Number.isFinite(value)
      ? EM_DASH
      : numberFormat(locale, options).format(value).replace('-', MINUS);
  const short = { notation: 'compact', minimumFractionDigits: 0, maximumFractionDigits: 1 } as const;
  const fixed = (digits: number) => ({ minimumFractionDigits: digits, maximumFractionDigits: digits });

  return {
    number: (value, digits = 2) => put(value, { signDisplay: 'negative', ...fixed(digits) }),
    integer: (value) => put(value, { maximumFractionDigits: 0 }),
    percent: (value, { signed = false, digits } = {}) =>
      put(value, {
        style: 'percent',
        signDisplay: signed ? 'exceptZero' : 'negative',
        ...(Math.abs(value ?? 0) >= HUGE_PERCENT
          ? short
          : fixed(digits ?? (Math.abs(value ?? 0) >= 10 ? 0 : 1))),
      }),
    money: (value, { signed = false, compact = false } = {}) =>
      put(value, {
        style: 'currency',
        currency: 'USD',
        currencyDisplay: 'narrowSymbol',
        signDisplay: signed ? 'exceptZero' : 'negative',
        ...(compact || Math.abs(value ?? 0) >= HUGE_MONEY ? short : fixed(0)),
      }),
    price: (value) => put(value, fixed(2)),
    // "2013. 3. 1." ends like a sentence, and runs into the next one
    date: (value) =>
      dateFormat(locale, { dateStyle: language === 'ko' ? 'long' : 'medium' }).format(toDate(value)),
    isoDate: (value) => toDate(value).toISOString().slice(0, 10),
    dateTime: (value) =>
      dateFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(toDate(value)),
    clock: (value) => new Date(value).toISOString().slice(11, 21),
    // a clock that is a little behind has not seen the future
    ago: (value, now) => relative(language, Math.max(0, now - Date.parse(value)) / 1000),
    bytes: (value) => {
      if (value === null || value === undefined) return EM_DASH;
      const unit = value >= 1e9 ? 'gigabyte' : value >= 1e6 ? 'megabyte' : value >= 1e3 ? 'kilobyte' : 'byte';
      const size = { gigabyte: 1e9, megabyte: 1e6, kilobyte: 1e3, byte: 1 }[unit];
      return put(value / size, { style: 'unit', unit, maximumFractionDigits: value / size < 10 ? 1 : 0 });
    },
    duration: (seconds) => (seconds === null || seconds === undefined ? EM_DASH : spell(language, seconds)),
  };
}

const STEPS: [limit: number, size: number, unit: Intl.RelativeTimeFormatUnit][] = [
  [3600, 60, 'minute'],
  [86_400, 3600, 'hour'],
  [86_400 * 60, 86_400, 'day'],
];

function relative(language: Language, seconds: number): string {
  const format = relativeFormat(language, { numeric: 'auto', style: 'narrow' });
  if (seconds < 60) return format.format(-Math.round(seconds), 'second');
  for (const [limit, size, unit] of STEPS) {
    if (seconds < limit) return format.format(-Math.round(seconds / size), unit);
  }
  return format.format(-Math.round(seconds / (86_400 * 30)), 'month');
}

function spell(language: Language, seconds: number): string {
  const [s, m, h, d] = language === 'ko' ? ['초', '분', '시간', '일'] : [' s', ' min', ' h', ' d'];
  if (seconds > 0 && seconds < 0.0995) {
    return `${Math.max(1, Math.round(seconds * 1000))}${language === 'ko' ? '' : ' '}ms`;
  }
  if (seconds < 9.95) return `${seconds.toFixed(1)}${s}`;
  if (seconds < 59.5) return `${Math.round(seconds)}${s}`;
  const days = seconds >= 2 * 86_400;
  const [unit, big, small, parts] = days
    ? [86_400, d, h, 24]
    : seconds < 3600
      ? [60, m, s, 60]
      : [3600, h, m, 60];
  // Rounded first, so that 119.9 s are 2 min and not 1 min 60 s.
  const all = Math.round(seconds / (unit / parts));
  const rest = all % parts;
  return `${Math.floor(all / parts)}${big}${rest > 0 ? ` ${rest}${small}` : ''}`;
}
