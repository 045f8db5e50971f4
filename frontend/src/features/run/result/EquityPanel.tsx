import { SegmentedControl } from '@mantine/core';
import type { TFunction } from 'i18next';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Backtest } from '@/api';
import { TimeChart } from '@/components/charts/TimeChart';
import type { SeriesSpec } from '@/components/charts/time-chart-types';
import { Panel } from '@/components/Panel';
import { EmptyState } from '@/components/States';
import { EM_DASH, type Formatter } from '@/lib/format';
import { DAY_S, momentOf } from '@/lib/series';
import { useFormat } from '@/lib/use-format';
import { axisFall, axisMoney } from '../axis';
import {
  around,
  baseFrom,
  type Curve,
  firstFrom,
  rangeSpan,
  rangesFor,
  rebased,
  type Span,
  spanOf,
} from './curve';
import type { Hold } from './hold';
import classes from './result.module.css';
import { Thinned } from './Thinned';
import { useView } from './use-view';

const PANES = [7, 2];
const LEAST_ROOM = 60 * DAY_S;

interface EquityPanelProps {
  run: Backtest;
  curve: Curve;
  hold: Hold | null;
  /** A drawdown picked in the table next door. */
  focus: Span | null;
}

/** The curve beside the benchmark's and beside holding, with the drawdown under it on the same time axis. */
export function EquityPanel({ run, curve, hold, focus }: EquityPanelProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const [view, set] = useView(run.backtest_id);
  const whole = useMemo(() => spanOf(curve), [curve]);
  const ranges = useMemo(() => rangesFor(whole), [whole]);
  const range = view.range && ranges.includes(view.range) ? view.range : 'all';
  const growth = view.unit === 'growth';
  const lines = [curve.equity, curve.benchmark ?? [], hold?.values ?? []];
  const canLog = lines.every((values) => values.every((value) => value === null || value > 0));
  const log = canLog && (view.scale ?? 'log') === 'log';

  const visible = useMemo(
    () => (focus ? around(focus, whole, LEAST_ROOM) : rangeSpan(range, whole)),
    [focus, range, whole],
  );
  // What the reader has dragged or pinched to, which is not in the address.
  const [zoom, setZoom] = useState<Span | null>(null);
  const from = (zoom ?? visible)?.[0] ?? whole[0];
  const since = curve.t[firstFrom(curve.t, from)];
  const series = useMemo(
    () => seriesOf({ run, curve, hold, focus, from, growth, f, t }),
    [run, curve, hold, focus, from, growth, f, t],
  );

  if (curve.t.length < 2) {
    return (
      <Panel title={t('result.equity_title')}>
        <EmptyState title={t('result.no_curve')} body={t('result.no_curve_body', { count: curve.bars })} />
      </Panel>
    );
  }
  const thinned = curve.bars > curve.t.length;
  return (
    <Panel
      title={t('result.equity_title')}
      note={thinned ? <Thinned points={curve.t.length} bars={curve.bars} /> : undefined}
      flush
      actions={
        <div className={classes.toolbar}>
          {ranges.length > 1 && (
            <SegmentedControl
              aria-label={t('result.range')}
              value={focus ? '' : range}
              onChange={(value) =>
                set({ range: value === 'all' ? undefined : (value as typeof range), drawdown: undefined })
              }
              data={ranges.map((value) => ({ value, label: t(`result.range_${value}`) }))}
            />
          )}
          <SegmentedControl
            aria-label={t('result.unit')}
            value={growth ? 'growth' : 'money'}
            onChange={(value) => set({ unit: value === 'growth' ? 'growth' : undefined })}
            data={[
              { value: 'money', label: t('result.unit_money') },
              { value: 'growth', label: t('result.unit_growth') },
            ]}
          />
          <SegmentedControl
            aria-label={t('result.scale')}
            value={log ? 'log' : 'linear'}
            onChange={(value) => set({ scale: value === 'linear' ? 'linear' : undefined })}
            data={[
              { value: 'log', label: t('result.log_scale'), disabled: !canLog },
              { value: 'linear', label: t('result.linear') },
            ]}
          />
        </div>
      }
    >
      <TimeChart
        series={series}
        height={490}
        panes={PANES}
        log={log}
        range={visible}
        since={since}
        onZoom={setZoom}
        label={t('result.caption_equity', {
          name: run.name,
          start: f.money(curve.equity[0]),
          end: f.money(curve.equity.at(-1)),
          from: momentOf(whole[0]),
          to: momentOf(whole[1]),
          dd: f.percent(run.metrics?.max_drawdown),
        })}
      />
    </Panel>
  );
}

interface SeriesOf {
  run: Backtest;
  curve: Curve;
  hold: Hold | null;
  focus: Span | null;
  /** What the legend's growth is counted from: the beginning of what is in sight. */
  from: number;
  /** Growth instead of money. */
  growth: boolean;
  f: Formatter;
  t: TFunction;
}

function seriesOf({ run, curve, hold, focus, from, growth, f, t }: SeriesOf): SeriesSpec[] {
  const at = firstFrom(curve.t, from);
  // The whole run has grown from its capital, as the metrics say.
  const baseOf = (values: readonly (number | null)[]) =>
    at === 0 ? run.initial_capital : baseFrom(values, at);
  const percent = (value: number, digits?: number) => f.percent(value - 1, { signed: true, digits });
  const money = axisMoney(f, [...curve.equity, ...(curve.benchmark ?? []), ...(hold?.values ?? [])]);
  const line = (id: string, name: string, values: readonly (number | null)[], color: string): SeriesSpec => ({
    id,
    name,
    kind: 'line',
    t: curve.t,
    values: growth ? rebased(values, baseOf(values)) : [...values],
    color,
    width: id === 'equity' ? 2 : 1,
    format: growth ? (value) => percent(value, Math.abs(value - 1) < 0.1 ? 1 : 0) : money,
    legend: (value) => {
      if (growth) return percent(value);
      const base = baseOf(values);
      const gain = base === null || base <= 0 ? EM_DASH : percent(value / base);
      return id === 'equity' ? `${f.money(value)} ${gain}` : gain;
    },
  });
  const items = [line('equity', t('result.strategy'), curve.equity, 's1')];
  if (hold) {
    items.push(line('hold', t('result.hold', { symbol: hold.symbol }), hold.values, 'series-hold'));
  }
  if (curve.benchmark) {
    items.push(line('benchmark', run.config.benchmark ?? '', curve.benchmark, 'series-benchmark'));
  }
  items.push({
    id: 'drawdown',
    name: t('result.drawdown'),
    kind: 'underwater',
    pane: 1,
    t: curve.t,
    values: curve.drawdown,
    color: 'loss',
    format: axisFall(f, curve.drawdown),
    legend: (value) => f.percent(value),
  });
  if (focus) {
    items.push({
      id: 'band',
      name: '',
      kind: 'band',
      t: curve.t,
      values: curve.t.map((time) => (time >= focus[0] && time <= focus[1] ? 1 : null)),
      color: 'accent-soft',
      format: () => '',
      hiddenInLegend: true,
    });
  }
  return items;
}
