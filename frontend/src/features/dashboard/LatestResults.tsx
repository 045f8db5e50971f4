import { Link, useNavigate } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { BacktestSummary } from '@/api';
import { Sparkline } from '@/components/Sparkline';
import { TableFrame } from '@/components/TableFrame';
import { TimeAgo } from '@/components/TimeAgo';
import ui from '@/components/ui.module.css';
import { Value } from '@/components/Value';
import { useNames } from '@/lib/names';
import classes from './dashboard.module.css';

export function LatestResults({ runs }: { runs: BacktestSummary[] }) {
  const { t } = useTranslation();
  const names = useNames();
  const navigate = useNavigate();
  if (runs.length === 0) return <p className={ui.note}>{t('dashboard.no_results')}</p>;
  return (
    <TableFrame>
      <table className={`${ui.table} ${classes.results}`}>
        <thead>
          <tr>
            <th>{t('runs.col_name')}</th>
            <th>{t('runs.col_curve')}</th>
            <th data-num>{t('metric_short.total_return')}</th>
            <th data-num>{t('metric_short.sharpe')}</th>
            <th data-num>{t('metric_short.max_drawdown')}</th>
            <th data-num>{t('dashboard.finished')}</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr
              key={run.backtest_id}
              data-click
              onClick={() => void navigate({ to: '/runs/$id', params: { id: run.backtest_id } })}
            >
              <td className={classes.name}>
                <Link
                  to="/runs/$id"
                  params={{ id: run.backtest_id }}
                  className="strong truncate"
                  onClick={(event) => event.stopPropagation()}
                >
                  {run.name}
                </Link>
                <div className="tiny dim truncate">
                  {names.strategy(run.strategy_type)} · {run.symbols.slice(0, 5).join(' ')}
                  {run.symbol_count > 5 && ` +${run.symbol_count - 5}`}
                </div>
              </td>
              <td>
                <Sparkline values={run.sparkline} width={132} height={30} label={t('runs.col_curve')} />
              </td>
              {(['total_return', 'sharpe', 'max_drawdown'] as const).map((metric) => (
                <td key={metric} data-num className={metric === 'total_return' ? 'strong' : undefined}>
                  <Value metric={metric} value={run.metrics?.[metric]} reason={run.null_reasons[metric]} />
                </td>
              ))}
              <td data-num className="dim">
                {run.completed_at && <TimeAgo at={run.completed_at} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}
