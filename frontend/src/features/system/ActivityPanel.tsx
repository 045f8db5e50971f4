import { useTranslation } from 'react-i18next';
import { useActivity } from '@/api';
import { Panel } from '@/components/Panel';
import { HourBars } from './HourBars';

export function ActivityPanel() {
  const { t } = useTranslation();
  const hours = useActivity().data;
  if (!hours) return null;
  const total = hours.reduce((sum, hour) => sum + hour.completed + hour.failed + hour.cancelled, 0);
  return (
    <Panel title={t('system.throughput')} note={t('system.throughput_total', { count: total })}>
      <HourBars hours={hours} />
    </Panel>
  );
}
