/** What the server has against a configuration, in the reader's language. */
import { useTranslation } from 'react-i18next';
import type { FieldError } from '@/api';

/** The part of FieldError that matters here; the checks of rules have it too. pointer: RFC 6901 */
export type Wrong = Pick<FieldError, 'pointer' | 'code' | 'message'>;

export const partsOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

/** The value that a pointer names. */
export function valueAt(document: unknown, pointer: string): unknown {
  let found: unknown = document;
  for (const part of partsOf(pointer)) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string, unknown>)[part];
  }
  return found;
}

/** A message as a sentence; one that begins with the name of a data source keeps it as it is. */
const sentence = ({ code, message }: Wrong): string => {
  const begins = code === 'unknown_symbol' || code === 'no_such_bars' || code === 'no_bars';
  const text = begins ? message : message.charAt(0).toUpperCase() + message.slice(1);
  return /[.?!…)]$/.test(text) ? text : `${text}.`;
};

/** An error in the reader's language by its code (`field_error`, `rule_error`: Korean only), else the server's own sentence. */
export function useErrorText(input: unknown): (wrong: Wrong) => string {
  const { t, i18n } = useTranslation();
  return (wrong) => {
    // a mistake in a rule has the wrong characters between « and »
    const token = /«(.*)»/.exec(wrong.message)?.[1];
    const key = `${token === undefined ? 'field_error' : 'rule_error'}.${wrong.code}`;
    if (!i18n.exists(key)) return sentence(wrong);
    const value = valueAt(input, wrong.pointer);
    return (t as (key: string, values: object) => string)(key, {
      value: typeof value === 'string' || typeof value === 'number' ? value : '',
      name: partsOf(wrong.pointer).at(-1) ?? '',
      token,
      limit: /-?\d[\d.]*(e[+-]?\d+)?$/.exec(wrong.message)?.[0] ?? '',
    });
  };
}
