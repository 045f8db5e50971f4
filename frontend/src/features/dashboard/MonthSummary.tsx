import { useTranslation } from 'react-i18next';
import type { BacktestSummary } from '@/api';
import { useFormat } from '@/lib/use-format';
import { differentResults } from './attempts';
import classes from './dashboard.module.css';
import { ReturnDots } from './ReturnDots';

interface MonthSummaryProps {
  /** Completed and failed runs of the last 30 days, the newest of them. */
  runs: BacktestSummary[];
  total: number;
}

/** Every finished run as one dot: shows at a glance that the best is one of many. */
export function MonthSummary({ runs, total }: MonthSummaryProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const finished = runs.filter((run) => run.status === 'completed');
  const different = differentResults(finished);
  const times = finished
    .flatMap((run) => (run.cached_from ? [] : (run.execution_seconds ?? [])))
    .sort((a, b) => a - b);
  if (runs.length === 0) return <p className="dim">{t('dashboard.month_none')}</p>;
  return (
    <>
      <dl className={classes.figures}>
        <div>
          <dt>{t('dashboard.month_runs')}</dt>
          <dd className="num">{f.integer(finished.length)}</dd>
        </div>
        <div>
          <dt>{t('dashboard.month_success')}</dt>
          <dd className="num">{f.percent(finished.length / runs.length, { digits: 0 })}</dd>
        </div>
        <div>
          <dt>{t('dashboard.month_median')}</dt>
          <dd className="num">{f.duration(times[times.length >> 1])}</dd>
        </div>
      </dl>
      {finished.length > 0 && (
        <>
          <h3>{t('dashboard.month_return')}</h3>
          <ReturnDots runs={finished} />
        </>
      )}
      {different > 1 && <p className="tiny dim">{t('dashboard.month_bias', { count: different })}</p>}
      {total > runs.length && (
        <p className="tiny dim">
          {t('dashboard.month_newest', { n: f.integer(runs.length), total: f.integer(total) })}
        </p>
      )}
    </>
  );
}
