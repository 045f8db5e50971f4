/** Where the server's errors belong: RFC 6901 pointers into the configuration, and the fields that show them. */
import type { Wrong } from '@/lib/error-text';
import type { Outside } from './period';

export const pointerTo = (...parts: readonly (string | number)[]): string =>
  parts.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** Fields of every form; those of the strategy's parameters come with its schema. */
const OPTIONS: Readonly<Record<string, string>> = {
  '': 'name strategy_type symbols start_date end_date timeframe data_source initial_capital benchmark tags',
  '/execution': 'fill fractional_shares direction max_leverage maintenance_margin price_mode dividends',
  '/execution/sizing': 'type value',
  '/costs': 'commission_rate commission_per_share commission_fixed commission_min slippage_bps borrow_rate',
  '/risk': 'stop_loss take_profit trailing_stop stops_active',
};
const PARAMETERS = '/parameters';
const FIELDS: readonly string[] = [
  PARAMETERS,
  '/risk_free_rate',
  '/periods_per_year',
  '/priority',
  ...Object.entries(OPTIONS).flatMap(([section, names]) =>
    names.split(' ').map((name) => `${section}/${name}`),
  ),
];

/** `parameters`: pointers of the strategy's own fields. */
export const shownFields = (parameters: Iterable<string>): ReadonlySet<string> =>
  new Set([...FIELDS, ...parameters]);

/** The field that shows an error: the deepest one that the pointer goes through; `null` for none. A parameter that
 * the strategy does not have is no matter of all of them. */
export function fieldFor(pointer: string, fields: ReadonlySet<string>): string | null {
  for (let at = pointer; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
    if (fields.has(at) && (at !== PARAMETERS || at === pointer)) return at;
  }
  return null;
}

export interface Sorted {
  byField: ReadonlyMap<string, readonly Wrong[]>;
  /** Errors that no field shows: of the whole, or of an option that this form does not have. */
  rest: readonly Wrong[];
}

export function sorted(errors: readonly Wrong[], fields: ReadonlySet<string>): Sorted {
  const byField = new Map<string, Wrong[]>();
  const rest: Wrong[] = [];
  for (const error of errors) {
    const field = fieldFor(error.pointer, fields);
    if (field === null) rest.push(error);
    else byField.set(field, [...(byField.get(field) ?? []), error]);
  }
  return { byField, rest };
}

/** With the days that leave nothing of the data, known before the server says so; it may see it otherwise, since it
 * takes a day or two more. */
export function withOutside(errors: readonly Wrong[], outside: readonly Outside[]): readonly Wrong[] {
  const wrong = outside.map(
    ({ edge, wanted }): Wrong => ({
      pointer: `/${edge}_date`,
      code: 'outside_the_data',
      message: `${wanted} is outside the data`,
    }),
  );
  const own = new Set(wrong.map(({ pointer }) => pointer));
  const none = wrong.length > 0;
  return [
    ...wrong,
    ...errors.filter(({ pointer, code }) => !own.has(pointer) && !(none && code === 'no_bars')),
  ];
}

/** What an import can mend: a run may wait for it. */
const MISSING = new Set([
  'unknown_symbol',
  'unknown_data_source',
  'no_such_bars',
  'outside_the_data',
  'no_bars',
]);
export const onlyDataIsMissing = (errors: readonly Wrong[]): boolean =>
  errors.length > 0 && errors.every((error) => MISSING.has(error.code));
