import { useTranslation } from 'react-i18next';
import type { Schema } from '@/api';
import classes from './system.module.css';

const ROOM = 84;
const EVERY = 3;

/** What ended in each hour, the running one at the right; failures stand on top, as an outline. */
export function HourBars({ hours }: { hours: Schema<'HourOut'>[] }) {
  const { t } = useTranslation();
  const sums = hours.map((hour) => hour.completed + hour.cancelled + hour.failed);
  const highest = Math.max(1, ...sums);
  const height = (count: number) => (count === 0 ? 0 : Math.max(2, (count / highest) * ROOM));
  const clock = (iso: string) => `${String(new Date(iso).getHours()).padStart(2, '0')}:00`;
  return (
    <div
      className={`${classes.hours} num`}
      role="img"
      aria-label={`${t('system.throughput')}: ${sums.join(', ')}`}
    >
      {hours.map((hour, index) => (
        <div
          key={hour.hour}
          className={classes.hour}
          title={t('system.hour', {
            hour: clock(hour.hour),
            completed: hour.completed,
            failed: hour.failed,
            cancelled: hour.cancelled,
          })}
        >
          <b>{sums[index] || ''}</b>
          <div className={classes.bars}>
            {hour.failed > 0 && <i data-failed style={{ height: height(hour.failed) }} />}
            <i style={{ height: height((sums[index] ?? 0) - hour.failed) }} />
          </div>
          <span className={classes.clock}>
            {(hours.length - 1 - index) % EVERY === 0 && clock(hour.hour)}
          </span>
        </div>
      ))}
    </div>
  );
}
