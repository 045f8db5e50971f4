import { useTranslation } from 'react-i18next';
import { useWorkers } from '@/api';
import { PageError } from '@/components/PageError';
import { PageHeader } from '@/components/PageHeader';
import { PageSkeleton } from '@/components/States';
import { executionSlots } from '@/lib/slots';
import { ActivityPanel } from './ActivityPanel';
import { HealthPanel } from './HealthPanel';
import { LimitsPanel } from './LimitsPanel';
import { QueuePanel } from './QueuePanel';
import { RunningPanel } from './RunningPanel';
import classes from './system.module.css';
import { VersionsPanel } from './VersionsPanel';
import { WorkersPanel } from './WorkersPanel';

export function SystemPage() {
  const { t } = useTranslation();
  const workers = useWorkers();
  if (workers.isError && !workers.data) {
    return <PageError error={workers.error} onRetry={() => void workers.refetch()} />;
  }
  if (!workers.data) return <PageSkeleton heights={[48, 220, 240]} />;
  const slots = executionSlots(workers.data);
  return (
    <>
      <PageHeader
        title={t('system.title')}
        meta={
          slots === null ? undefined : t('system.meta', { busy: workers.data.running.length, total: slots })
        }
      />
      <div className={classes.columns}>
        <div className="stack">
          <RunningPanel running={workers.data.running} />
          <WorkersPanel workers={workers.data} />
          <ActivityPanel />
          <LimitsPanel />
        </div>
        <div className="stack">
          <HealthPanel />
          <QueuePanel />
          <VersionsPanel />
        </div>
      </div>
    </>
  );
}
