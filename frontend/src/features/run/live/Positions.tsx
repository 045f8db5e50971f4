import { useTranslation } from 'react-i18next';
import type { LiveEquity } from '@/api';
import { Panel } from '@/components/Panel';
import { TableFrame } from '@/components/TableFrame';
import ui from '@/components/ui.module.css';
import { useFormat } from '@/lib/use-format';

/** What is held at the last simulated close. */
export function Positions({
  equity,
}: {
  equity: Pick<LiveEquity, 'points' | 'positions' | 'position_count'>;
}) {
  const { t } = useTranslation();
  const f = useFormat();
  const { positions, position_count: count } = equity;
  const worth = equity.points.at(-1)?.[1] ?? 0;
  return (
    <Panel
      title={t('positions.title')}
      note={
        count > positions.length
          ? t('positions.largest', { n: f.integer(positions.length), total: f.integer(count) })
          : undefined
      }
      flush
    >
      <TableFrame tall>
        <table className={ui.table}>
          <thead>
            <tr>
              <th>{t('positions.symbol')}</th>
              <th>{t('trades.side')}</th>
              <th data-num>{t('trades.shares')}</th>
              <th data-num>{t('positions.price')}</th>
              <th data-num>{t('positions.value')}</th>
              <th data-num>{t('positions.weight')}</th>
            </tr>
          </thead>
          <tbody>
            {positions.map((position) => (
              <tr key={position.symbol}>
                <td className="strong">{position.symbol}</td>
                <td className="soft">{t(position.shares < 0 ? 'trades.short' : 'trades.long')}</td>
                <td data-num>{f.number(Math.abs(position.shares), 1)}</td>
                <td data-num>{f.price(position.price)}</td>
                <td data-num>{f.money(position.value)}</td>
                <td data-num>{worth > 0 ? f.percent(position.value / worth) : '—'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableFrame>
    </Panel>
  );
}
