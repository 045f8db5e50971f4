import { useTranslation } from 'react-i18next';
import { Missing } from '@/components/Value';
import { useNames } from '@/lib/names';
import { useFormat } from '@/lib/use-format';
import { isPartOfADay, metricText, metricTone, type Values } from './metrics';
import type { MetricWords } from './use-metrics';

interface MetricValueProps {
  words: MetricWords;
  name: string;
  values: Values;
  /** Why one has no value, as the server says it. */
  reasons: Readonly<Record<string, string>>;
}

/** A metric's text; a missing one is an em dash that says why on hover and to screen readers. */
export function MetricValue({ words, name, values, reasons }: MetricValueProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const names = useNames();
  const value = values[name];
  if (value === null || value === undefined) {
    const reason = reasons[name];
    return <Missing why={reason ? names.reason(reason) : t('result.no_value')} />;
  }
  const unit = words.unit(name);
  const text = metricText(f, name, unit, value);
  const said =
    unit === 'days' && !isPartOfADay(value)
      ? t('result.days', { count: value, n: text })
      : unit === 'bars'
        ? t('result.bars', { count: value, n: text })
        : text;
  return <span className={`num ${metricTone(name, value) ?? ''}`}>{said}</span>;
}
