/** Readers for search parameters: anything unexpected becomes `undefined`, never an error. */
export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value.slice(0, 400) : undefined;

export const number = (value: unknown): number | undefined => {
  const parsed = typeof value === 'number' ? value : Number.parseFloat(String(value));
  return Number.isFinite(parsed) ? parsed : undefined;
};

export const oneOf = <const T extends string>(value: unknown, allowed: readonly T[]): T | undefined =>
  allowed.includes(value as T) ? (value as T) : undefined;

/** A list, or a single value where only one is meant; digits alone come out of the address as a number. */
export const texts = (value: unknown): string[] | undefined => {
  const list = (Array.isArray(value) ? value : [value])
    .map((item) => (typeof item === 'number' ? String(item) : text(item)))
    .filter((item) => item !== undefined);
  return list.length ? [...new Set(list)].slice(0, 20) : undefined;
};

/** Every search parameter may be absent, so links need not name them. */
export const optional =
  <T extends Record<string, unknown>>(read: (search: Record<string, unknown>) => T) =>
  (search: Record<string, unknown>): Partial<T> =>
    read(search);
