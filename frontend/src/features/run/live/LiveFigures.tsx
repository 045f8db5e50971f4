import { useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { LiveRun } from '@/api';
import { EM_DASH } from '@/lib/format';
import { toneOfReturn } from '@/lib/metrics';
import { momentOf } from '@/lib/series';
import { useFormat } from '@/lib/use-format';
import { curveOf, type Sample, sampled, speedOf } from './derive';
import classes from './live.module.css';

interface LiveFiguresProps {
  live: LiveRun;
  capital: number;
}

export function LiveFigures({ live, capital }: LiveFiguresProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const { status, equity: seen, now } = live;
  const curve = useMemo(() => curveOf(seen?.points ?? [], capital), [seen, capital]);
  const speed = useSpeed(live);
  const equity = curve.equity.at(-1) ?? null;
  const gain = equity === null ? null : equity / capital - 1;
  const time = curve.t.at(-1);
  const started = status?.started_at ? Date.parse(status.started_at) : null;
  const figures: [label: string, value: string, sub?: string, tone?: string][] = [
    [t('live.simulating'), time === undefined ? EM_DASH : momentOf(time)],
    [
      t('live.equity'),
      f.money(equity),
      gain === null ? undefined : f.percent(gain, { signed: true }),
      toneOfReturn(gain),
    ],
    [t('live.drawdown'), f.percent(curve.drawdown.at(-1))],
    [t('live.positions'), seen ? f.integer(seen.position_count) : EM_DASH],
    [t('live.fills'), f.integer(status?.fills ?? seen?.fills)],
    [t('live.trades'), seen ? f.integer(seen.trades) : EM_DASH],
    [t('live.speed'), speed === null ? EM_DASH : t('live.bars_per_s', { n: f.integer(speed) })],
    [
      t('live.elapsed'),
      started === null || now === null ? EM_DASH : f.duration(Math.max(0, now - started) / 1000),
    ],
  ];
  return (
    <dl className={classes.figures}>
      {figures.map(([label, value, sub, tone]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd className="num">
            {value} {sub && <small className={tone}>{sub}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function useSpeed({ status, now }: LiveRun): number | null {
  const samples = useRef<readonly Sample[]>([]);
  if (status?.current_step !== 'simulate' || now === null) return null;
  samples.current = sampled(samples.current, { at: now, bars: status.bars_done });
  return speedOf(samples.current);
}
