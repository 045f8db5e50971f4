import { Button } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useLatestBacktests, useRestoreBacktest } from '@/api';
import { EmptyState, PageSkeleton } from '@/components/States';
import { notifyProblem } from '@/lib/notify';
import { useFormat } from '@/lib/use-format';
import { useNow } from '@/lib/use-now';

const BIN = { deleted: true } as const;
const MOST = 200;

/** Nothing under this id: never there, or in the bin, from which it can be taken. */
export function MissingRun({ id }: { id: string }) {
  const { t } = useTranslation();
  const f = useFormat();
  const now = useNow();
  const bin = useLatestBacktests(BIN, MOST);
  const restore = useRestoreBacktest();
  useDocumentTitle(`${t('missing.tab')} · backproof`);
  if (bin.isPending) return <PageSkeleton heights={[160]} />;
  const run = bin.data?.items.find((one) => one.backtest_id === id);
  if (run?.deleted_at) {
    return (
      <EmptyState
        page
        title={t('missing.deleted')}
        body={t('missing.deleted_body', { name: run.name, ago: f.ago(run.deleted_at, now) })}
      >
        <Button
          loading={restore.isPending}
          onClick={() => restore.mutate(id, { onError: (problem) => notifyProblem(t, problem) })}
        >
          {t('run.restore')}
        </Button>
        <AllRuns />
      </EmptyState>
    );
  }
  return (
    <EmptyState page title={t('common.not_found', { id: id.slice(0, 40) })} body={t('common.not_found_body')}>
      <AllRuns />
    </EmptyState>
  );
}

function AllRuns() {
  const { t } = useTranslation();
  return (
    <Button variant="default" renderRoot={(props) => <Link to="/runs" {...props} />}>
      {t('missing.all_runs')}
    </Button>
  );
}
