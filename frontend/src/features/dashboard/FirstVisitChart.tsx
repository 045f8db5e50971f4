import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useBars } from '@/api';
import { TimeChart } from '@/components/charts/TimeChart';
import type { SeriesSpec, TradeMarker } from '@/components/charts/time-chart-types';
import { timeOf } from '@/lib/series';
import { useFormat } from '@/lib/use-format';
import { crossings, movingAverage } from './excerpt';

/** Long enough for a few crossings, short enough to see each; begins early for the averages. */
const BARS = { source: 'demo', start: '2009-06-01', end: '2011-08-31' } as const;
const SHOWN = [timeOf('2009-10-12'), timeOf(BARS.end)] as const;
const FAST = 20;
const SLOW = 50;

export default function FirstVisitChart() {
  const { t } = useTranslation();
  const f = useFormat();
  const bars = useBars('AAPL', BARS).data?.bars;
  const [series, markers] = useMemo<[SeriesSpec[], TradeMarker[]]>(() => {
    const known = (bars ?? []).flatMap(({ date, close }) =>
      close == null ? [] : [{ t: timeOf(date), close }],
    );
    const times = known.map((bar) => bar.t);
    const closes = known.map((bar) => bar.close);
    const line = (
      id: string,
      name: string,
      values: readonly (number | null)[],
      color: string,
      width: 1 | 2,
    ): SeriesSpec => ({ id, name, kind: 'line', t: times, values, color, width, format: f.price });
    const [fast, slow] = [movingAverage(closes, FAST), movingAverage(closes, SLOW)];
    return [
      [
        line('price', 'AAPL', closes, 'text-3', 1),
        line('fast', `SMA ${FAST}`, fast, 's1', 2),
        line('slow', `SMA ${SLOW}`, slow, 's3', 2),
      ],
      crossings(fast, slow).flatMap(({ bar, kind }): TradeMarker[] => {
        const t = times[bar];
        return t === undefined ? [] : [{ t, kind, color: kind === 'entry' ? 'accent' : 'text-2' }];
      }),
    ];
  }, [bars, f]);
  return (
    <TimeChart
      series={series}
      height={430}
      legend="names"
      label={t('first.chart_caption')}
      markers={markers}
      range={SHOWN}
    />
  );
}
