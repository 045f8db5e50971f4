import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useActiveBacktests, useBacktestCount, useLatestBacktests, useSymbols } from '@/api';
import { Icon } from '@/components/icons';
import { PageError } from '@/components/PageError';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { PageSkeleton } from '@/components/States';
import { Attention } from './Attention';
import { DataOnHand } from './DataOnHand';
import classes from './dashboard.module.css';
import { FirstVisit } from './FirstVisit';
import { LatestResults } from './LatestResults';
import { MonthSummary } from './MonthSummary';
import { RunningNow } from './RunningNow';

const DAY_MS = 86_400_000;
const LATEST = 9;
const FAILED = 3;
const MONTH = 200;

export function DashboardPage() {
  const { t } = useTranslation();
  // A whole day, so that the question stays the same while the page is open.
  const [since] = useState(() => new Date(Date.now() - 30 * DAY_MS).toISOString().slice(0, 10));
  const count = useBacktestCount();
  const active = useActiveBacktests();
  const latest = useLatestBacktests({ status: ['completed'], sort: '-completed_at' }, LATEST);
  const failed = useLatestBacktests(
    { status: ['failed'], created_from: since, sort: '-completed_at' },
    FAILED,
  );
  const month = useLatestBacktests({ status: ['completed', 'failed'], created_from: since }, MONTH);
  const symbols = useSymbols();

  const queries = [count, active, latest, failed, month, symbols];
  const broken = queries.find((query) => query.isError && !query.data);
  if (broken) {
    return (
      <PageError
        error={broken.error}
        onRetry={() => {
          for (const query of queries) if (query.isError) void query.refetch();
        }}
      />
    );
  }
  if (!count.data && count.isPending) return <PageSkeleton heights={[48, 168, 420]} />;
  if (count.data === 0) return <FirstVisit />;
  if (!active.data || !latest.data || !failed.data || !month.data || !symbols.data) {
    return <PageSkeleton heights={[48, 168, 420]} />;
  }
  // The answers are of different moments: a run that has ended between two of them is shown once.
  const done = new Set(latest.data.items.map((run) => run.backtest_id));
  const items = active.data.items.filter((run) => !done.has(run.backtest_id));
  const total = active.data.total - (active.data.items.length - items.length);
  const running = items.filter((run) => run.status === 'running' || run.status === 'cancelling').length;

  return (
    <>
      <PageHeader
        title={t('nav.dashboard')}
        meta={[
          running > 0 && t('dashboard.sum_running', { count: running }),
          total > running && t('dashboard.sum_waiting', { count: total - running }),
          failed.data.total > 0 && t('dashboard.sum_failed', { count: failed.data.total }),
        ]
          .filter(Boolean)
          .join(' · ')}
      />
      <div className={classes.columns}>
        <div className="stack">
          <Panel title={t('app.running_now')} flush>
            <RunningNow runs={items} total={total} />
          </Panel>
          <Panel
            title={t('dashboard.latest')}
            flush
            actions={
              <Button
                variant="subtle"
                size="compact-xs"
                rightSection={<Icon name="right" size={14} />}
                renderRoot={(props) => <Link to="/runs" {...props} />}
              >
                {t('dashboard.see_all')}
              </Button>
            }
          >
            <LatestResults runs={latest.data.items} />
          </Panel>
        </div>
        <div className="stack">
          <Panel title={t('dashboard.attention')}>
            <Attention runs={failed.data.items} />
          </Panel>
          <Panel title={t('dashboard.month')}>
            <MonthSummary runs={month.data.items} total={month.data.total} />
          </Panel>
          <Panel title={t('dashboard.data')} note={t('dashboard.data_source')}>
            <DataOnHand symbols={symbols.data} />
          </Panel>
        </div>
      </div>
    </>
  );
}
