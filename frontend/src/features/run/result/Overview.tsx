import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { type Backtest, type Charts, type MetricsAnswer, useCharts, useEquity, useMetrics } from '@/api';
import { MonthlyHeatmap } from '@/components/charts/MonthlyHeatmap';
import { Facts } from '@/components/Facts';
import { type MetricCell, MetricStrip } from '@/components/MetricStrip';
import { Panel } from '@/components/Panel';
import { PartError } from '@/components/PartError';
import { PageSkeleton } from '@/components/States';
import { useFormat } from '@/lib/use-format';
import { MetricValue } from '../MetricValue';
import { metricText, type Values } from '../metrics';
import { Notes } from '../Notes';
import runClasses from '../run.module.css';
import { type MetricWords, useMetricWords } from '../use-metrics';
import { type Curve, curveOf, drawdownSpan, spanOf } from './curve';
import { Drawdowns } from './Drawdowns';
import { EquityPanel } from './EquityPanel';
import { MonthsFrame } from './MonthsFrame';
import { monthsOf } from './months';
import { ResultNotices } from './ResultNotices';
import { useHold } from './use-hold';
import { useView } from './use-view';

/** Twenty-five years of days. */
const POINTS = 6500;
const SHOWN_DRAWDOWNS = 6;
const AGAINST = ['benchmark_return', 'alpha', 'beta', 'correlation', 'tracking_error', 'information_ratio'];
const ACTIVITY = ['exposure', 'time_in_market', 'turnover', 'expectancy', 'costs_paid', 'holding_days_mean'];
const RISK = [
  'annual_return',
  'calmar',
  'var_95',
  'cvar_95',
  'best_period',
  'worst_period',
  'max_drawdown_duration_days',
  'psr',
];

export function Overview({ run }: { run: Backtest }) {
  const id = run.backtest_id;
  const equity = useEquity(id, POINTS);
  const metrics = useMetrics(id, true);
  const curve = useMemo(() => equity.data && curveOf(equity.data), [equity.data]);
  const failed = [equity, metrics].find((query) => query.isError);
  if (failed) return <PartError error={failed.error} onRetry={() => void failed.refetch()} />;
  if (!curve || !metrics.data) return <PageSkeleton heights={[84, 540, 300]} />;
  return <Shown run={run} curve={curve} answer={metrics.data} />;
}

interface ShownProps {
  run: Backtest;
  curve: Curve;
  answer: MetricsAnswer;
}

function Shown({ run, curve, answer }: ShownProps) {
  const { t } = useTranslation();
  const words = useMetricWords(run.timeframe);
  const [view, set] = useView(run.backtest_id);
  const hold = useHold(run, curve);
  // What is computed from every bar comes a moment later; nothing else waits for it.
  const charts = useCharts(run.backtest_id);
  const drawdowns = useMemo(() => (answer.drawdowns ?? []).slice(0, SHOWN_DRAWDOWNS), [answer]);
  const picked = view.drawdown === undefined ? undefined : drawdowns[view.drawdown];
  const focus = useMemo(() => (picked ? drawdownSpan(picked, spanOf(curve)) : null), [picked, curve]);
  const values: Values = { ...answer.metrics, ...answer.full_metrics, ...answer.benchmark_metrics };
  const reasons = { ...answer.full_null_reasons, ...answer.null_reasons };
  const benchmark = run.config.benchmark;
  const facts = (names: readonly string[]) => (
    <Facts
      rows={names.map((name) => [
        <Named key={name} words={words} name={name} />,
        <MetricValue key={name} words={words} name={name} values={values} reasons={reasons} />,
      ])}
    />
  );
  return (
    <div className="stack">
      <ResultNotices run={run} hold={hold} />
      <Headline
        run={run}
        words={words}
        values={values}
        reasons={reasons}
        benchmark={charts.data?.benchmark ?? null}
      />
      <div className={runClasses.split}>
        <div className="stack">
          <EquityPanel run={run} curve={curve} hold={hold} focus={focus} />
          <Panel title={t('result.monthly')} note="%">
            {charts.isError ? (
              <PartError error={charts.error} onRetry={() => void charts.refetch()} />
            ) : charts.data ? (
              <Months charts={charts.data} />
            ) : (
              <PageSkeleton heights={[220]} />
            )}
          </Panel>
          <Notes run={run} />
        </div>
        <div className="stack">
          <Panel title={t('result.worst_drawdowns')} flush={drawdowns.length > 0}>
            {drawdowns.length > 0 ? (
              <Drawdowns
                items={drawdowns}
                selected={picked && view.drawdown}
                onSelect={(place) => set({ drawdown: place, range: undefined })}
              />
            ) : (
              <p className="small dim">{t('result.no_drawdown')}</p>
            )}
          </Panel>
          {benchmark && <Panel title={t('result.against', { name: benchmark })}>{facts(AGAINST)}</Panel>}
          <Panel title={t('result.activity')}>{facts(ACTIVITY)}</Panel>
          <Panel title={t('result.risk')}>{facts(RISK)}</Panel>
        </div>
      </div>
    </div>
  );
}

function Months({ charts }: { charts: Charts }) {
  const months = useMemo(() => monthsOf(charts), [charts]);
  return (
    <MonthsFrame>
      <MonthlyHeatmap {...months} />
    </MonthsFrame>
  );
}

function Named({ words, name }: { words: MetricWords; name: string }) {
  return <span title={words.hint(name)}>{words.label(name)}</span>;
}

interface HeadlineProps {
  run: Backtest;
  words: MetricWords;
  values: Values;
  reasons: Readonly<Record<string, string>>;
  /** The benchmark's own figures, once they are known. */
  benchmark: Values | null;
}

/** The eight figures that are read first, with the benchmark's below. */
function Headline({ run, words, values, reasons, benchmark }: HeadlineProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const against = (name: string) => {
    const value = benchmark?.[name];
    if (value === null || value === undefined || run.config.benchmark === null) return undefined;
    return `${run.config.benchmark} ${metricText(f, name, words.unit(name), value)}`;
  };
  const cell = (name: string, sub?: string, lead?: boolean): MetricCell => ({
    id: name,
    label: words.label(name),
    hint: words.hint(name),
    value: <MetricValue words={words} name={name} values={values} reasons={reasons} />,
    sub: sub ?? against(name),
    lead,
  });
  const payoff = values.payoff;
  return (
    <MetricStrip
      cells={[
        cell('total_return', undefined, true),
        cell('max_drawdown', undefined, true),
        cell('cagr'),
        cell('sharpe'),
        cell('sortino'),
        cell('volatility'),
        cell('win_rate', t('trades.closed', { count: values.trades ?? 0, n: f.integer(values.trades) })),
        cell(
          'profit_factor',
          payoff === null || payoff === undefined
            ? undefined
            : t('result.payoff', { value: f.number(payoff) }),
        ),
      ]}
    />
  );
}
