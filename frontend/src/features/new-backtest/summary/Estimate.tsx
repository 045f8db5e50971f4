import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';
import type { Validation } from '@/api';
import { Facts } from '@/components/Facts';
import type { Formatter } from '@/lib/format';
import { useFormat } from '@/lib/use-format';
import classes from '../new-backtest.module.css';

const MB = 2 ** 20;

/** How long, how big, and when it would start. */
export function Estimate({ answer, symbols }: { answer: Validation; symbols: readonly string[] }) {
  const { t } = useTranslation();
  const f = useFormat();
  const { estimate } = answer;
  if (!estimate) return null;
  const { seconds, low, high, learned_from, queue_position, wait_seconds } = estimate;
  const range =
    low !== null && high !== null && f.duration(low) !== f.duration(high)
      ? `${f.duration(low)} – ${f.duration(high)}`
      : f.duration(seconds);
  const wait =
    wait_seconds === null
      ? t('new.queue_place', { n: queue_position })
      : wait_seconds < 1
        ? t('new.queue_now')
        : t('new.queue_value', { n: queue_position, time: f.duration(wait_seconds) });
  const time =
    seconds === null ? (
      <span className="dim">{t('new.estimate_unknown')}</span>
    ) : (
      <>
        {range} <span className="dim">{t('new.learned', { count: learned_from })}</span>
      </>
    );
  const rows: [string, React.ReactNode][] = [
    [t('new.estimate'), time],
    [t('new.queue'), wait],
    [t('new.bars_label'), t('new.bars_value', { n: f.integer(estimate.work_units), count: symbols.length })],
  ];
  if (answer.warmup !== null) rows.push([t('new.warmup'), warmup(t, f, answer, symbols)]);
  rows.push([
    t('new.memory'),
    t('new.memory_value', { n: f.integer(Math.ceil(estimate.memory_bytes / MB)) }),
  ]);
  return (
    <div className={classes.estimate}>
      <Facts rows={rows} />
    </div>
  );
}

/** Bars that are needed before the first decision, and whether the data have them before the start. */
function warmup(t: TFunction, f: Formatter, answer: Validation, symbols: readonly string[]): string {
  const needed = answer.warmup ?? 0;
  if (needed === 0) return t('new.warmup_zero');
  const n = f.integer(needed);
  const traded = answer.coverage.filter((one) => symbols.includes(one.symbol) && one.bars_in_run > 0);
  const [first] = [...traded].sort((a, b) => a.bars_before - b.bars_before);
  if (!first || first.bars_before >= needed) return t('new.warmup_enough', { n });
  const late = needed - first.bars_before;
  return late >= first.bars_in_run
    ? t('new.warmup_never', { n, symbol: first.symbol })
    : t('new.warmup_short', { n, symbol: first.symbol, late: f.integer(late + 1) });
}
