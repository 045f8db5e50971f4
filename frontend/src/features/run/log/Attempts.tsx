import type { ParseKeys } from 'i18next';
import { useTranslation } from 'react-i18next';
import { type Execution, useExecutions } from '@/api';
import { Panel } from '@/components/Panel';
import { TableFrame } from '@/components/TableFrame';
import ui from '@/components/ui.module.css';
import { EM_DASH } from '@/lib/format';
import { useFormat } from '@/lib/use-format';

/** Which worker took the run when, and how that ended. */
export function Attempts({ id }: { id: string }) {
  const { t, i18n } = useTranslation();
  const f = useFormat();
  const { data } = useExecutions(id);
  if (!data) return null;
  const outcome = (text: string) => {
    const key = `attempts.outcome_${text}`;
    return i18n.exists(key) ? t(key as ParseKeys as 'attempts.outcome_completed') : text;
  };
  return (
    <Panel title={t('attempts.title')} flush={data.length > 0}>
      {data.length === 0 ? (
        <p className="small dim">{t('attempts.none')}</p>
      ) : (
        <TableFrame tall>
          <table className={ui.table}>
            <thead>
              <tr>
                <th>#</th>
                <th>{t('attempts.worker')}</th>
                <th>{t('attempts.started')}</th>
                <th data-num>{t('attempts.duration')}</th>
                <th>{t('attempts.outcome')}</th>
              </tr>
            </thead>
            <tbody>
              {data.map((attempt) => (
                <tr key={attempt.attempt}>
                  <td className="num dim">{attempt.attempt}</td>
                  <td className="mono">{attempt.worker}</td>
                  <td className="num">{f.dateTime(attempt.started_at)}</td>
                  <td data-num>{lasted(attempt) === null ? EM_DASH : f.duration(lasted(attempt))}</td>
                  <td>{attempt.outcome === null ? t('attempts.open') : outcome(attempt.outcome)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableFrame>
      )}
    </Panel>
  );
}

const lasted = ({ started_at, ended_at }: Execution): number | null =>
  ended_at === null ? null : Math.max(0, Date.parse(ended_at) - Date.parse(started_at)) / 1000;
