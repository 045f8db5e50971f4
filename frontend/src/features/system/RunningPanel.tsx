import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Workers } from '@/api';
import { Panel } from '@/components/Panel';
import { ProgressBar } from '@/components/ProgressBar';
import { TableFrame } from '@/components/TableFrame';
import { TimeAgo } from '@/components/TimeAgo';
import ui from '@/components/ui.module.css';
import { useFormat } from '@/lib/use-format';
import classes from './system.module.css';

export function RunningPanel({ running }: { running: Workers['running'] }) {
  const { t } = useTranslation();
  const f = useFormat();
  return (
    <Panel title={t('system.being_computed')} flush>
      {running.length === 0 ? (
        <p className={ui.note}>{t('system.idle_all')}</p>
      ) : (
        <TableFrame>
          <table className={ui.table}>
            <thead>
              <tr>
                <th style={{ width: '52%' }}>{t('system.current')}</th>
                <th>{t('system.worker')}</th>
                <th data-num>{t('system.attempt')}</th>
                <th data-num>{t('system.started')}</th>
              </tr>
            </thead>
            <tbody>
              {running.map((run) => (
                <tr key={run.backtest_id}>
                  <td>
                    <div className={classes.current}>
                      <Link to="/runs/$id" params={{ id: run.backtest_id }} className="truncate strong">
                        {run.name}
                      </Link>
                      <ProgressBar value={run.progress / 100} label={run.name} />
                      <span className="num dim right">{f.percent(run.progress / 100, { digits: 0 })}</span>
                    </div>
                  </td>
                  <td className="mono dim">{run.worker}</td>
                  <td data-num>{f.integer(run.attempt)}</td>
                  <td data-num className="dim">
                    {run.started_at && <TimeAgo at={run.started_at} />}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableFrame>
      )}
    </Panel>
  );
}
