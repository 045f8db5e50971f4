import { Link } from '@tanstack/react-router';
import { type ComponentType, lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { type Backtest, useManifest, useStatus } from '@/api';
import { RESULT_TABS, type ResultTab } from '@/app/result-tabs';
import { PageSkeleton } from '@/components/States';
import { useFormat } from '@/lib/use-format';
import { RunActions } from '../RunActions';
import { RunHeading } from '../RunHeading';
import { spentText } from '../spent';
import { Overview } from './Overview';
import classes from './result.module.css';
import { useView } from './use-view';

const TABS: Record<ResultTab, ComponentType<{ run: Backtest }>> = {
  overview: Overview,
  trades: lazy(() => import('./Trades')),
  analysis: lazy(() => import('./Analysis')),
  costs: lazy(() => import('./Costs')),
  log: lazy(() => import('./LogTab')),
  proof: lazy(() => import('./Proof')),
};

export function ResultPage({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const f = useFormat();
  const [view] = useView(run.backtest_id);
  const tab = view.tab ?? 'overview';
  const Tab = TABS[tab];
  const stopped = run.status !== 'completed';
  const { data: status } = useStatus(run.backtest_id, stopped);
  const { data: manifest } = useManifest(run.backtest_id);
  const [first, last] = [manifest?.first_date, manifest?.last_date];
  return (
    <>
      <RunHeading
        run={run}
        bars={typeof first === 'string' && typeof last === 'string' ? [first, last] : undefined}
        statusNote={spentText(f, run)}
        actions={<RunActions run={run} resumable={stopped && !!status?.checkpoint_bar} />}
      />
      <nav className={classes.tabs} aria-label={t('result.parts')}>
        {RESULT_TABS.map((name) => (
          <Link
            key={name}
            from="/runs/$id"
            to="/runs/$id"
            params={{ id: run.backtest_id }}
            search={(old) => ({ ...old, tab: name === 'overview' ? undefined : name })}
            className={classes.tab}
            data-active={name === tab || undefined}
            activeOptions={{ exact: true, includeSearch: true }}
            resetScroll={false}
          >
            {t(`result.tab_${name}`)}
            {name === 'trades' && <span className="num tiny dim">{f.integer(run.result?.trades)}</span>}
          </Link>
        ))}
      </nav>
      <Suspense fallback={<PageSkeleton heights={[420, 300]} />}>
        <Tab run={run} />
      </Suspense>
    </>
  );
}
