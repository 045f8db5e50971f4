import { Tooltip } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { useFormat } from '@/lib/use-format';

/** Said on every chart that draws fewer bars than there are. */
export function Thinned({ points, bars }: { points: number; bars: number }) {
  const { t } = useTranslation();
  const f = useFormat();
  return (
    <Tooltip label={t('result.thinned_how')}>
      <span className="help">
        {t('result.thinned', { points: f.integer(points), bars: f.integer(bars) })}
      </span>
    </Tooltip>
  );
}
