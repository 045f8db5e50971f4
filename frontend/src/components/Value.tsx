import { Tooltip } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { EM_DASH } from '@/lib/format';
import { formatMetric, type KnownMetric, toneOf } from '@/lib/metrics';
import { useNames } from '@/lib/names';
import { useFormat } from '@/lib/use-format';

interface ValueProps {
  metric: KnownMetric;
  value: number | null | undefined;
  /** Why `value` is null, as the server says it (`null_reasons`). */
  reason?: string;
  tone?: boolean;
}

/** A metric's text. A missing value is an em dash that says why on hover and to screen readers. */
export function Value({ metric, value, reason, tone = true }: ValueProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const names = useNames();
  if (value === null || value === undefined) {
    return <Missing why={reason ? names.reason(reason) : t('null_reason.no_result')} />;
  }
  return (
    <span className={`num ${(tone && toneOf(metric, value)) || ''}`}>{formatMetric(f, metric, value)}</span>
  );
}

/** In place of a value that is not there; why is said on hover and to screen readers. */
export function Missing({ why }: { why: string }) {
  return (
    <Tooltip label={why}>
      <span className="dim" style={{ cursor: 'help' }}>
        <span aria-hidden="true">{EM_DASH}</span>
        <span className="visually-hidden">{why}</span>
      </span>
    </Tooltip>
  );
}
