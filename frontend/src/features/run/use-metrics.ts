import type { ParseKeys } from 'i18next';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { type MetricDefinition, useMetricDefinitions } from '@/api';
import { useNames } from '@/lib/names';
import type { Unit } from './metrics';

export interface MetricWords {
  definitions: readonly MetricDefinition[];
  label(name: string): string;
  /** What it is, in a sentence. */
  hint(name: string): string | undefined;
  unit(name: string): Unit;
}

/** Names and definitions of the metrics, of which some are of weeks where the bars are; of all others a period is a
 * day. What the dictionary does not know keeps the server's words. */
export function useMetricWords(timeframe?: string): MetricWords {
  const { t, i18n } = useTranslation();
  const names = useNames();
  const definitions = useMetricDefinitions().data;
  return useMemo(() => {
    const known = new Map(definitions?.map((one) => [one.name, one]));
    return {
      definitions: definitions ?? [],
      label: (name) => {
        const key = [`metric_name.${name}_${timeframe}`, `metric_name.${name}`, `metric.${name}`].find(
          (one) => i18n.exists(one),
        );
        return key ? t(key as ParseKeys as 'metric.sharpe') : name.replaceAll('_', ' ');
      },
      hint: (name) => {
        const said = known.get(name)?.description;
        return said && names.said(said);
      },
      unit: (name) => known.get(name)?.unit ?? 'ratio',
    };
  }, [t, i18n, names, definitions, timeframe]);
}
