import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { type BacktestStatus, type BacktestSummary, useStatuses } from '@/api';
import { Icon } from '@/components/icons';
import { ProgressBar } from '@/components/ProgressBar';
import { StatusDot } from '@/components/StatusDot';
import ui from '@/components/ui.module.css';
import { useNames } from '@/lib/names';
import { useFormat } from '@/lib/use-format';
import classes from './dashboard.module.css';

const SHOWN = 8;
const ORDER: Partial<Record<BacktestSummary['status'], number>> = { running: 0, cancelling: 0, queued: 1 };

export function RunningNow({ runs, total }: { runs: BacktestSummary[]; total: number }) {
  const { t } = useTranslation();
  const shown = [...runs].sort((a, b) => (ORDER[a.status] ?? 2) - (ORDER[b.status] ?? 2)).slice(0, SHOWN);
  const statuses = useStatuses(shown.map((run) => run.backtest_id));
  if (runs.length === 0) return <p className={ui.note}>{t('dashboard.nothing_running')}</p>;
  return (
    <div>
      {shown.map((run) => (
        <Row key={run.backtest_id} run={run} status={statuses.get(run.backtest_id)} />
      ))}
      {total > shown.length && (
        <Link to="/runs" search={{ view: 'active' }} className={`${classes.rest} small dim`}>
          {t('dashboard.more_active', { count: total - shown.length })}
        </Link>
      )}
    </div>
  );
}

function Row({ run, status }: { run: BacktestSummary; status: BacktestStatus | undefined }) {
  const { t } = useTranslation();
  const f = useFormat();
  const names = useNames();
  const working = run.status === 'running' || run.status === 'cancelling';
  const eta = status?.eta_seconds ?? null;
  const place = status?.queue_position ?? null;
  return (
    <Link to="/runs/$id" params={{ id: run.backtest_id }} className={classes.run}>
      <div className="truncate">
        <span className="strong">{run.name}</span>
        <div className="tiny dim truncate">
          {names.strategy(run.strategy_type)} · {run.symbols.slice(0, 4).join(' ')}
          {run.symbol_count > 4 && ` +${run.symbol_count - 4}`}
        </div>
      </div>
      {working ? (
        <div>
          <div className="row spread tiny">
            <span className="soft">
              {run.status === 'cancelling' ? t('status.cancelling') : names.stage(run.current_step)}
            </span>
            <span className="num strong">{f.percent(run.progress / 100, { digits: 0 })}</span>
          </div>
          <ProgressBar value={run.progress / 100} label={run.name} />
        </div>
      ) : (
        <StatusDot
          status={run.status}
          note={
            run.status === 'pending'
              ? t('dashboard.waits_for_data')
              : place === null
                ? undefined
                : t('runs.position', { n: place })
          }
        />
      )}
      <span className="num small dim right">
        {eta === null ? '' : t(working ? 'runs.eta' : 'dashboard.done_in', { time: f.duration(eta) })}
      </span>
      <span className="dim">
        <Icon name="right" />
      </span>
    </Link>
  );
}
