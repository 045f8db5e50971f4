import { SegmentedControl } from '@mantine/core';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Backtest, exportUrl, useMetrics, useTrades } from '@/api';
import { type MetricCell, MetricStrip } from '@/components/MetricStrip';
import { Panel } from '@/components/Panel';
import { PartError } from '@/components/PartError';
import { EmptyState, PageSkeleton } from '@/components/States';
import { useFormat } from '@/lib/use-format';
import { MetricValue } from '../MetricValue';
import type { Values } from '../metrics';
import { useMetricWords } from '../use-metrics';
import { EventsTable, FillsTable } from './OtherRows';
import { PriceChart } from './PriceChart';
import classes from './result.module.css';
import { TradesTable } from './TradesTable';
import { numbered, type Outcome, withOutcome } from './trade-view';
import { useView } from './use-view';

const FIGURES = ['trades', 'win_rate', 'profit_factor', 'payoff', 'expectancy', 'time_in_market'];

/** Chart and table are one instrument: a row zooms the chart, an arrow selects the row. */
export default function Trades({ run }: { run: Backtest }) {
  const id = run.backtest_id;
  const query = useTrades(id);
  const metrics = useMetrics(id, true);
  const failed = [query, metrics].find((one) => one.isError);
  if (failed) return <PartError error={failed.error} onRetry={() => void failed.refetch()} />;
  if (!query.data || !metrics.data) return <PageSkeleton heights={[66, 420, 400]} />;
  const {
    metrics: headline,
    full_metrics: full,
    null_reasons: reasons,
    full_null_reasons: more,
  } = metrics.data;
  return (
    <div className="stack">
      <Figures values={{ ...headline, ...full }} reasons={{ ...more, ...reasons }} />
      <Shown run={run} table={query.data} />
    </div>
  );
}

function Figures({ values, reasons }: { values: Values; reasons: Readonly<Record<string, string>> }) {
  const words = useMetricWords();
  const cells = FIGURES.map(
    (name): MetricCell => ({
      id: name,
      label: words.label(name),
      hint: words.hint(name),
      value: <MetricValue words={words} name={name} values={values} reasons={reasons} />,
    }),
  );
  return <MetricStrip cells={cells} />;
}

type Table = NonNullable<ReturnType<typeof useTrades>['data']>;

function Shown({ run, table }: { run: Backtest; table: Table }) {
  const { t } = useTranslation();
  const f = useFormat();
  const [view, set] = useView(run.backtest_id);
  const [outcome, setOutcome] = useState<Outcome>('all');
  const trades = useMemo(() => numbered(table.rows), [table]);
  const shown = useMemo(() => withOutcome(trades, outcome), [trades, outcome]);
  const rows = view.rows ?? 'trades';
  const events = run.result?.events ?? 0;
  return (
    <>
      <PriceChart run={run} trades={trades} />
      <Panel
        title={
          rows === 'trades'
            ? t('trades.count', { count: shown.length, n: f.integer(shown.length) })
            : t(`trades.rows_${rows}`)
        }
        note={
          rows === 'trades' && table.total > trades.length ? (
            <>
              {t('table.first_rows', { n: f.integer(trades.length), total: f.integer(table.total) })}{' '}
              <a className="link" href={exportUrl(run.backtest_id, 'trades', 'csv')} download>
                {t('table.all_rows')}
              </a>
            </>
          ) : undefined
        }
        flush
        actions={
          <div className={classes.toolbar}>
            {rows === 'trades' && trades.length > 0 && (
              <SegmentedControl
                aria-label={t('trades.outcome')}
                value={outcome}
                onChange={(value) => setOutcome(value as Outcome)}
                data={(['all', 'wins', 'losses'] as const).map((value) => ({
                  value,
                  label: t(`trades.f_${value}`),
                }))}
              />
            )}
            <SegmentedControl
              aria-label={t('trades.rows')}
              value={rows}
              onChange={(value) => set({ rows: value === 'trades' ? undefined : (value as 'fills') })}
              data={[
                { value: 'trades', label: t('trades.rows_trades') },
                { value: 'fills', label: t('trades.rows_fills') },
                ...(events > 0 ? [{ value: 'events', label: t('trades.rows_events_short') }] : []),
              ]}
            />
          </div>
        }
      >
        {rows === 'fills' && <FillsTable run={run} />}
        {rows === 'events' && <EventsTable run={run} />}
        {rows === 'trades' &&
          (shown.length > 0 ? (
            <TradesTable
              trades={shown}
              manySymbols={run.symbol_count > 1}
              selected={view.trade}
              onSelect={(trade) => set({ trade })}
            />
          ) : (
            <EmptyState
              title={t(trades.length > 0 ? 'trades.none_such' : 'trades.none')}
              body={trades.length > 0 ? undefined : t('trades.none_body')}
            />
          ))}
      </Panel>
    </>
  );
}
