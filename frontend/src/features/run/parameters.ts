import type { Names } from '@/lib/names';

const MOST = 160;

/** The parameters in a line: "Fast average 20, Slow average 50". */
export function parameterText(parameters: Readonly<Record<string, unknown>>, names: Names): string {
  const text = Object.entries(parameters)
    .filter(([, value]) => !isEmpty(value))
    .map(([key, value]) => `${names.parameter(key)} ${plain(value, names)}`)
    .join(', ');
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text;
}

const isEmpty = (value: unknown) =>
  value === null ||
  value === undefined ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0);

function plain(value: unknown, names: Names): string {
  if (typeof value === 'string') return /^[a-z_]+$/.test(value) ? names.choice(value) : value;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
