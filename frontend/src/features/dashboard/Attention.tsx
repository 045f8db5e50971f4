import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { type BacktestSummary, useResumeBacktest } from '@/api';
import { StatusDot } from '@/components/StatusDot';
import { TimeAgo } from '@/components/TimeAgo';
import { remedyFor } from '@/lib/failures';
import { useNames } from '@/lib/names';
import { notifyProblem } from '@/lib/notify';
import classes from './dashboard.module.css';

/** What failed, why in one sentence, and the one thing to do about it. */
export function Attention({ runs }: { runs: BacktestSummary[] }) {
  const { t } = useTranslation();
  const names = useNames();
  const resume = useResumeBacktest();
  if (runs.length === 0) return <p className="dim">{t('dashboard.attention_none')}</p>;
  return (
    <div>
      {runs.map((run) => (
        <div key={run.backtest_id} className={classes.item}>
          <div className="row spread">
            <span className="row">
              <StatusDot status="failed" bare />
              <Link to="/runs/$id" params={{ id: run.backtest_id }} className="strong truncate">
                {run.name}
              </Link>
            </span>
            <span className="tiny dim">{run.completed_at && <TimeAgo at={run.completed_at} />}</span>
          </div>
          {run.error && (
            <>
              <p className={`${classes.cause} small soft`}>{names.error(run.error)}</p>
              {remedyFor(run.error.code) === 'resume' ? (
                <Button
                  variant="default"
                  size="compact-xs"
                  loading={resume.isPending && resume.variables === run.backtest_id}
                  onClick={() =>
                    resume.mutate(run.backtest_id, { onError: (error) => notifyProblem(t, error) })
                  }
                >
                  {t('dashboard.resume')}
                </Button>
              ) : (
                <Button
                  variant="default"
                  size="compact-xs"
                  renderRoot={(props) => (
                    <Link to="/runs/new" search={{ from: run.backtest_id }} {...props} />
                  )}
                >
                  {t('dashboard.clone')}
                </Button>
              )}
            </>
          )}
        </div>
      ))}
    </div>
  );
}
