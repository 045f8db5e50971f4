import { Select } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiProblem, type Backtest, type Bars, type BarsQuery, useBars } from '@/api';
import { TimeChart } from '@/components/charts/TimeChart';
import type { SeriesSpec } from '@/components/charts/time-chart-types';
import { Panel } from '@/components/Panel';
import { PartError } from '@/components/PartError';
import { EmptyState, PageSkeleton } from '@/components/States';
import { timeOf } from '@/lib/series';
import { useFormat } from '@/lib/use-format';
import { Thinned } from './Thinned';
import { marksOf, type NumberedTrade, nearestTrade, sizeOfMarks, spanOfTrade, tradesIn } from './trade-view';
import { daysOf } from './use-hold';
import { useView } from './use-view';

const HEIGHT = 380;
/** Of a whole run: more of them hide the prices. */
const MOST_ARROWS = 1000;
/** Twenty-five years of days. */
const POINTS = 6500;

interface PriceChartProps {
  run: Backtest;
  trades: readonly NumberedTrade[];
}

/** Prices of one symbol with an arrow for every entry and exit. */
export function PriceChart({ run, trades }: PriceChartProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const [view, set] = useView(run.backtest_id);
  const selected = trades.find((trade) => trade.number === view.trade);
  const symbols = run.config.symbols;
  const asked = view.symbol !== undefined && symbols.includes(view.symbol) ? view.symbol : undefined;
  const symbol = selected?.symbol ?? asked ?? trades[0]?.symbol ?? symbols[0] ?? '';
  const mine = useMemo(() => trades.filter((trade) => trade.symbol === symbol), [trades, symbol]);

  const question: BarsQuery = {
    source: run.data_source ?? undefined,
    timeframe: run.config.timeframe,
    adjusted: run.config.execution.price_mode === 'adjusted',
    max_points: POINTS,
  };
  const whole = useBars(symbol, {
    ...question,
    start: run.start_date ?? undefined,
    end: run.end_date ?? undefined,
  });
  const last = whole.data?.bars.at(-1)?.date;
  const span = useMemo(
    () => (selected && last ? spanOfTrade(selected, run.timeframe, timeOf(last)) : null),
    [selected, run.timeframe, last],
  );
  // Thinned bars are too coarse for one trade: its own are asked for.
  const thinned = whole.data !== undefined && whole.data.total_bars > whole.data.bars.length;
  const near = useBars(
    symbol,
    { ...question, ...(span ? daysOf(span[0], span[1], run.timeframe) : {}) },
    thinned && span !== null,
  );
  const bars = thinned && span ? (near.data ?? whole.data) : whole.data;
  const coarse = thinned && span !== null && near.isPending;

  const series = useMemo(() => (bars ? seriesOf(bars, f.price) : []), [bars, f]);
  const range = useMemo(() => {
    const times = series[0]?.t;
    if (!span || !times?.length) return null;
    return [Math.max(times[0] as number, span[0]), Math.min(times.at(-1) as number, span[1])] as const;
  }, [series, span]);
  const crowded = mine.length > MOST_ARROWS;
  const markers = useMemo(
    () =>
      (span ? tradesIn(mine, span) : crowded ? [] : mine)
        .flatMap((trade) =>
          marksOf(
            trade,
            trade.number === view.trade
              ? { entry: `#${trade.number}`, exit: f.percent(trade.return, { signed: true }) }
              : undefined,
            span ? undefined : sizeOfMarks(mine.length),
          ),
        )
        .sort((a, b) => a.t - b.t),
    [mine, view.trade, span, crowded, f],
  );

  const label = t('trades.chart_label', { symbol });
  const gone = whole.error instanceof ApiProblem && whole.error.status === 404;
  if (whole.isError && !gone) {
    return (
      <Panel title={label}>
        <PartError error={whole.error} onRetry={() => void whole.refetch()} />
      </Panel>
    );
  }
  if (!bars && !gone) return <PageSkeleton heights={[HEIGHT + 60]} />;
  return (
    <Panel
      title={label}
      note={
        <span className="row wrap" style={{ columnGap: 10, rowGap: 0 }}>
          {coarse && <span>{t('trades.loading_bars')}</span>}
          {bars && thinned && !span && <Thinned points={bars.bars.length} bars={bars.total_bars} />}
          {mine.length > 0 && <span>{t(crowded && !span ? 'trades.too_many_arrows' : 'trades.hint')}</span>}
        </span>
      }
      flush
      actions={
        symbols.length > 1 && (
          <Select
            aria-label={t('positions.symbol')}
            data={[...symbols]}
            value={symbol}
            searchable={symbols.length > 12}
            onChange={(value) => value && set({ symbol: value, trade: undefined })}
            w={120}
          />
        )
      }
    >
      {!bars || bars.bars.length === 0 ? (
        <EmptyState title={t('trades.no_bars', { symbol })} body={t('trades.no_bars_body')} />
      ) : (
        <TimeChart
          series={series}
          height={HEIGHT}
          markers={markers}
          range={range}
          log={range === null}
          onClickTime={(time) => set({ trade: nearestTrade(mine, time) })}
          label={label}
        />
      )}
    </Panel>
  );
}

/** Candles; a line where the source has closes only. */
function seriesOf(bars: Bars, format: (value: number) => string): SeriesSpec[] {
  const rows = bars.bars;
  const column = (name: 'open' | 'high' | 'low' | 'close') => rows.map((bar) => bar[name] ?? null);
  const t = rows.map((bar) => timeOf(bar.date));
  const close = column('close');
  const shared = { name: bars.symbol, t, color: 'text-3', format };
  if (!rows.some((bar) => bar.open != null)) {
    return [{ ...shared, id: `line ${bars.symbol}`, kind: 'line', values: close, width: 1 }];
  }
  const candles = { open: column('open'), high: column('high'), low: column('low'), close };
  return [{ ...shared, id: `candles ${bars.symbol}`, kind: 'candles', values: [], candles }];
}
