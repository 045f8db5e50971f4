import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import type { LogLine } from '@/api';
import { useNames } from '@/lib/names';
import { useFormat } from '@/lib/use-format';

/** A line in the reader's language where its code is in the dictionary (`log_text`, Korean only), or as the server wrote it. */
export function useLineText(): (line: LogLine) => string {
  const { t, i18n } = useTranslation();
  const names = useNames();
  const f = useFormat();
  return useCallback(
    (line) => {
      const { code, values } = line.fields as { code?: string; values?: Record<string, unknown> };
      if (code === undefined) return line.message;
      if (line.level === 'error') return names.error({ code, message: line.message, details: values });
      if (!i18n.exists(`log_text.${code}`)) return line.message;
      const word = t as (key: string, values?: object) => string;
      const outcome = (reason: string) => `attempts.outcome_${reason}`;
      const told = Object.entries(values ?? {}).map(([name, value]) => [
        name,
        typeof value === 'number'
          ? f.integer(value)
          : name === 'reason' && i18n.exists(outcome(String(value)))
            ? word(outcome(String(value)))
            : value,
      ]);
      return word(`log_text.${code}`, Object.fromEntries(told));
    },
    [t, i18n, names, f],
  );
}
