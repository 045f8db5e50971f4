import { useTranslation } from 'react-i18next';
import type { Drawdown } from '@/api';
import ui from '@/components/ui.module.css';
import { useFormat } from '@/lib/use-format';

interface DrawdownsProps {
  items: readonly Drawdown[];
  /** Place in `items`. */
  selected: number | undefined;
  onSelect: (place: number | undefined) => void;
}

export function Drawdowns({ items, selected, onSelect }: DrawdownsProps) {
  const { t } = useTranslation();
  const f = useFormat();
  return (
    <table className={ui.table}>
      <thead>
        <tr>
          <th data-num style={{ textAlign: 'left' }}>
            {t('result.dd_depth')}
          </th>
          <th>{t('result.dd_period')}</th>
          <th data-num>{t('result.dd_days')}</th>
        </tr>
      </thead>
      <tbody>
        {items.map((item, place) => {
          const active = selected === place;
          const pick = () => onSelect(active ? undefined : place);
          return (
            <tr
              key={`${item.peak_date} ${item.trough_date}`}
              data-click
              data-selected={active || undefined}
              onClick={pick}
            >
              <td className="num strong">
                <button
                  type="button"
                  className="plain"
                  onClick={(event) => {
                    event.stopPropagation();
                    pick();
                  }}
                  aria-pressed={active}
                  title={t('result.dd_hint')}
                >
                  {f.percent(item.depth)}
                </button>
              </td>
              <td className="num soft" title={whole(item, t('result.dd_open'))}>
                {item.peak_date.slice(0, 10)} – {item.recovery_date?.slice(0, 10) ?? t('result.dd_open')}
              </td>
              <td data-num className="dim">
                {t('common.days', { n: f.integer(item.days) })}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

const whole = (item: Drawdown, open: string) =>
  [item.peak_date, item.trough_date, item.recovery_date ?? open].map((text) => text.slice(0, 16)).join(' → ');
