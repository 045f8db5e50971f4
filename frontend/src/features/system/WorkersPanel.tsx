import { useTranslation } from 'react-i18next';
import type { Workers } from '@/api';
import { Panel } from '@/components/Panel';
import { TableFrame } from '@/components/TableFrame';
import ui from '@/components/ui.module.css';
import { useFormat } from '@/lib/use-format';

export function WorkersPanel({ workers }: { workers: Workers }) {
  const { t } = useTranslation();
  const f = useFormat();
  const present = workers.workers;
  return (
    <Panel title={t('system.workers')} flush>
      {present === null || present.length === 0 ? (
        <p className={ui.note}>{t(present === null ? 'system.workers_unknown' : 'system.no_workers')}</p>
      ) : (
        <TableFrame>
          <table className={ui.table}>
            <thead>
              <tr>
                <th>{t('system.worker')}</th>
                <th>{t('system.queues')}</th>
                <th data-num>{t('system.slots')}</th>
                <th data-num>{t('system.pid')}</th>
              </tr>
            </thead>
            <tbody>
              {present.map((worker) => (
                <tr key={worker.name}>
                  <td className="strong">{worker.name}</td>
                  <td className="mono dim">{worker.queues.join(', ')}</td>
                  <td data-num>{f.integer(worker.slots)}</td>
                  <td data-num className="dim">
                    {worker.pid}
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
