import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { type Backtest, type Charts, useCharts, useMetrics, useTrades } from '@/api';
import { TimeChart } from '@/components/charts/TimeChart';
import type { SeriesSpec } from '@/components/charts/time-chart-types';
import { Panel } from '@/components/Panel';
import { PartError } from '@/components/PartError';
import { EmptyState, PageSkeleton } from '@/components/States';
import { timeOf } from '@/lib/series';
import { useFormat } from '@/lib/use-format';
import { AllMetrics } from './AllMetrics';
import { Distribution } from './Distribution';
import { Excursions } from './Excursions';
import classes from './result.module.css';
import { numbered } from './trade-view';

export default function Analysis({ run }: { run: Backtest }) {
  const id = run.backtest_id;
  const charts = useCharts(id);
  const metrics = useMetrics(id, true);
  const trades = useTrades(id);
  const failed = [charts, metrics, trades].find((one) => one.isError);
  if (failed) return <PartError error={failed.error} onRetry={() => void failed.refetch()} />;
  if (!charts.data || !metrics.data || !trades.data) return <PageSkeleton heights={[320, 300, 300]} />;
  return (
    <div className="stack">
      <div className={classes.halves}>
        <Distribution charts={charts.data} />
        <Excursions trades={numbered(trades.data.rows)} />
      </div>
      <div className={classes.thirds}>
        <Rolling charts={charts.data} metric="sharpe" />
        <Rolling charts={charts.data} metric="volatility" />
        {charts.data.rolling?.beta && (
          <Rolling charts={charts.data} metric="beta" benchmark={run.config.benchmark ?? ''} />
        )}
      </div>
      <div className={classes.halves}>
        <Exposure charts={charts.data} />
        <Turnover charts={charts.data} />
      </div>
      <AllMetrics answer={metrics.data} timeframe={run.timeframe} />
    </div>
  );
}

const TITLES = {
  sharpe: 'result.rolling_sharpe',
  volatility: 'result.rolling_volatility',
  beta: 'result.rolling_beta',
} as const;
const HEIGHT = 220;

interface RollingProps {
  charts: Charts;
  metric: keyof typeof TITLES;
  benchmark?: string;
}

function Rolling({ charts, metric, benchmark }: RollingProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const { rolling } = charts;
  const title = t(TITLES[metric], { name: benchmark });
  const series = useMemo<SeriesSpec[]>(() => {
    if (!rolling) return [];
    const text = (value: number, digits: number) =>
      metric === 'volatility' ? f.percent(value, { digits: digits - 1 }) : f.number(value, digits);
    return [
      {
        id: metric,
        name: t(`metric.${metric}`),
        kind: 'line',
        t: rolling.dates.map(timeOf),
        values: rolling[metric] ?? [],
        color: 's1',
        format: (value) => text(value, 1),
        legend: (value) => text(value, 2),
      },
    ];
  }, [rolling, metric, f, t]);
  return (
    <Panel
      title={title}
      note={rolling ? t(`result.window_${charts.period}`, { n: f.integer(rolling.window) }) : undefined}
      flush
    >
      {rolling ? (
        <TimeChart series={series} height={HEIGHT} label={title} credit={false} />
      ) : (
        <EmptyState title={t('result.too_short')} />
      )}
    </Panel>
  );
}

function Exposure({ charts }: { charts: Charts }) {
  const { t } = useTranslation();
  const f = useFormat();
  const title = t('result.exposure');
  const series = useMemo<SeriesSpec[]>(
    () => [
      {
        id: 'exposure',
        name: t('result.exposure_line'),
        kind: 'line',
        t: charts.exposure.dates.map(timeOf),
        values: charts.exposure.values,
        color: 's1',
        width: 1,
        format: (value) => f.percent(value, { digits: 0 }),
      },
    ],
    [charts, f, t],
  );
  return (
    <Panel title={title} flush>
      {charts.exposure.dates.length > 1 ? (
        <TimeChart series={series} height={HEIGHT} label={title} credit={false} />
      ) : (
        <EmptyState title={t('result.too_short')} />
      )}
    </Panel>
  );
}

function Turnover({ charts }: { charts: Charts }) {
  const { t } = useTranslation();
  const f = useFormat();
  const title = t('result.turnover');
  const { months } = charts;
  const series = useMemo<SeriesSpec[]>(
    () => [
      {
        id: 'turnover',
        name: t('result.turnover_line'),
        kind: 'bars',
        t: months.map(({ year, month }) => Date.UTC(year, month - 1, 1) / 1000),
        values: months.map((month) => month.turnover),
        color: 's1',
        format: (value) => f.percent(value, { digits: 0 }),
      },
    ],
    [months, f, t],
  );
  return (
    <Panel title={title} flush>
      {months.some((month) => month.turnover) ? (
        <TimeChart series={series} height={HEIGHT} label={title} credit={false} />
      ) : (
        <EmptyState title={t('result.nothing_traded')} />
      )}
    </Panel>
  );
}
