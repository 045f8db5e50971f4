import { useTranslation } from 'react-i18next';
import { useQueue } from '@/api';
import { Facts } from '@/components/Facts';
import { Panel } from '@/components/Panel';
import { ProgressBar } from '@/components/ProgressBar';
import { useFormat } from '@/lib/use-format';
import classes from './system.module.css';

export function QueuePanel() {
  const { t } = useTranslation();
  const f = useFormat();
  const queue = useQueue().data;
  if (!queue) return null;
  const waiting = queue.queued + queue.pending;
  const kept = Object.values(queue.by_status).reduce((sum, count) => sum + count, 0);
  return (
    <Panel title={t('system.queue')}>
      <p className={`${classes.places} small soft`}>
        {t('system.queue_of', { n: f.integer(waiting), max: f.integer(queue.limit) })}
      </p>
      <ProgressBar value={Math.min(1, waiting / queue.limit)} label={t('system.queue')} />
      <div style={{ marginTop: 12 }}>
        <Facts
          rows={[
            [t('system.running'), f.integer(queue.running)],
            [t('system.queued'), f.integer(queue.queued)],
            [t('system.pending'), f.integer(queue.pending)],
            [t('system.kept'), f.integer(kept)],
          ]}
        />
      </div>
    </Panel>
  );
}
