import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { LiveEquity } from '@/api';
import { TimeChart } from '@/components/charts/TimeChart';
import type { SeriesSpec } from '@/components/charts/time-chart-types';
import { useFormat } from '@/lib/use-format';
import { axisFall, axisMoney } from '../axis';
import { curveOf } from './derive';

const PANES = [3, 1];

interface LiveChartProps {
  points: LiveEquity['points'];
  capital: number;
  name: string;
  height?: number;
}

export function LiveChart({ points, capital, name, height = 466 }: LiveChartProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const series = useMemo<SeriesSpec[]>(() => {
    const curve = curveOf(points, capital);
    return [
      {
        id: 'equity',
        name: t('live.equity'),
        kind: 'line',
        t: curve.t,
        values: curve.equity,
        color: 's1',
        format: axisMoney(f, curve.equity),
        legend: (value) => f.money(value),
      },
      {
        id: 'drawdown',
        name: t('live.drawdown'),
        kind: 'underwater',
        pane: 1,
        t: curve.t,
        values: curve.drawdown,
        color: 'loss',
        format: axisFall(f, curve.drawdown),
        legend: (value) => f.percent(value),
      },
    ];
  }, [points, capital, f, t]);
  return <TimeChart series={series} height={height} panes={PANES} label={t('live.chart_label', { name })} />;
}
