import {
  AreaSeries,
  BaselineSeries,
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type IChartApi,
  type IRange,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineSeries,
  LineStyle,
  PriceScaleMode,
  type SeriesMarker,
  type SeriesType,
  type Time,
} from 'lightweight-charts';
import { useEffect, useRef, useState } from 'react';
import { DAY_S } from '@/lib/series';
import { ChartLegend } from './ChartLegend';
import classes from './charts.module.css';
import { chartOptions, drawSeries, seriesData } from './time-chart-options';
import type { TimeChartProps } from './time-chart-types';
import { type ChartTheme, useChartTheme } from './use-chart-theme';

const SERIES = {
  line: LineSeries,
  candles: CandlestickSeries,
  underwater: BaselineSeries,
  band: AreaSeries,
  bars: HistogramSeries,
};
/** A zoom is told once it stands still: lines that are drawn again would stop the hand. */
const SETTLED_MS = 150;
type AnySeries = ISeriesApi<SeriesType>;

/**
 * Every time series of the product: equity, drawdown, candles, rolling figures, live. What the reader has zoomed to
 * stays when new data arrives; another `range` or the button in the legend ends that.
 */
export function TimeChart(props: TimeChartProps) {
  const {
    series,
    height,
    label,
    log,
    panes,
    range,
    since,
    onZoom,
    markers,
    legend = 'values',
    credit = true,
    onClickTime,
  } = props;
  const theme = useChartTheme();
  const intraday = series.some((item) => item.t.some((time) => time % DAY_S !== 0));
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<IChartApi>(null);
  const drawn = useRef(new Map<string, AnySeries>());
  const marks = useRef<ISeriesMarkersPluginApi<Time>>(null);
  const click = useRef(onClickTime);
  click.current = onClickTime;
  const [hover, setHover] = useState<number | null>(null);
  const [zoomed, setZoomed] = useState(false);
  const zoom = useRef<IRange<Time> | null>(null);
  const tellZoom = useRef(onZoom);
  tellZoom.current = onZoom;
  const settling = useRef(0);
  const [end, setEnd] = useState<number | null>(null);
  const release = () => {
    window.clearTimeout(settling.current);
    zoom.current = null;
    setZoomed(false);
    setEnd(null);
    tellZoom.current?.(null);
  };

  useEffect(() => {
    const options = chartOptions(theme, intraday);
    const api = createChart(box.current as HTMLDivElement, {
      ...options,
      layout: {
        ...options.layout,
        background: { type: ColorType.Solid, color: theme.token('surface') },
        // The library's own mark brings a style element, which the content security policy refuses.
        attributionLogo: false,
      },
    });
    chart.current = api;
    api.subscribeCrosshairMove((event) => setHover(event.time ? (event.time as number) : null));
    api.subscribeClick((event) => event.time && click.current?.(event.time as number));
    const forget = watchZoom(api, box.current as HTMLDivElement, (seen) => {
      zoom.current = seen;
      setZoomed(true);
      window.clearTimeout(settling.current);
      settling.current = window.setTimeout(() => {
        setEnd(seen.to as number);
        tellZoom.current?.([seen.from as number, seen.to as number]);
      }, SETTLED_MS);
    });
    return () => {
      forget();
      window.clearTimeout(settling.current);
      api.remove();
      chart.current = null;
      drawn.current.clear();
      marks.current = null;
    };
  }, [theme, intraday]);

  useEffect(() => {
    const api = chart.current;
    if (!api) return;
    syncSeries(api, drawn.current, series, theme);
    panes?.forEach((share, index) => {
      api.panes()[index]?.setStretchFactor(share);
    });
  }, [series, theme, panes]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new chart or new series must be set up again
  useEffect(() => {
    const mode = log ? PriceScaleMode.Logarithmic : PriceScaleMode.Normal;
    chart.current?.priceScale('right', 0).applyOptions({ mode, scaleMargins: { top: 0.06, bottom: 0.04 } });
  }, [log, theme, series]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new chart or new series must be set up again
  useEffect(release, [range]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new chart or new series must be set up again
  useEffect(() => {
    const scale = chart.current?.timeScale();
    if (!scale || !series[0]?.t.length) return;
    const apply = () => {
      if (zoom.current) scale.setVisibleRange(zoom.current);
      else if (range) scale.setVisibleRange({ from: range[0] as Time, to: range[1] as Time });
      else scale.fitContent();
    };
    apply();
    // Once more after layout: the price axis takes its final width only with the first labels.
    const frame = requestAnimationFrame(() => requestAnimationFrame(() => chart.current && apply()));
    return () => cancelAnimationFrame(frame);
  }, [range, series, theme, zoomed]);

  useEffect(() => {
    const main = series[0] && drawn.current.get(series[0].id);
    if (!main || !markers) return;
    const items = markers.map(
      (m): SeriesMarker<Time> => ({
        time: m.t as Time,
        position: m.kind === 'entry' ? 'belowBar' : 'aboveBar',
        shape: m.kind === 'entry' ? 'arrowUp' : 'arrowDown',
        color: theme.token(m.color),
        size: m.text ? 1.6 : (m.size ?? 0.9),
        text: m.text,
      }),
    );
    if (marks.current) marks.current.setMarkers(items);
    else marks.current = createSeriesMarkers(main, items);
  }, [markers, series, theme]);

  return (
    <figure className={classes.figure}>
      <ChartLegend
        series={series}
        time={hover ?? end ?? range?.[1] ?? null}
        since={since}
        theme={theme}
        names={legend === 'names'}
        onReset={zoomed ? release : undefined}
      />
      {/* biome-ignore lint/a11y/useSemanticElements: the outer figure also holds the legend */}
      <div ref={box} style={{ height }} role="figure" aria-label={label} />
      {credit && (
        <a className={classes.credit} href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
          TradingView
        </a>
      )}
      <figcaption className="visually-hidden">{label}</figcaption>
    </figure>
  );
}

/** Dragging, pinching and Ctrl + wheel are the reader's; every other change of the range is the chart's own. */
function watchZoom(api: IChartApi, element: HTMLElement, onZoom: (range: IRange<Time>) => void) {
  const scale = api.timeScale();
  let held = false;
  const tell = () => {
    const range = scale.getVisibleRange();
    if (range) onZoom(range);
  };
  const press = () => {
    held = true;
  };
  const letGo = () => {
    held = false;
  };
  const move = () => {
    if (held) tell();
  };
  const wheel = (event: WheelEvent) => {
    const shown = scale.getVisibleLogicalRange();
    if (!(event.ctrlKey || event.metaKey) || !shown) return;
    event.preventDefault();
    const at = scale.coordinateToLogical(event.clientX - element.getBoundingClientRect().left) ?? shown.to;
    const factor = Math.exp(event.deltaY * 0.002);
    scale.setVisibleLogicalRange({
      from: at - (at - shown.from) * factor,
      to: at + (shown.to - at) * factor,
    });
    tell();
  };
  scale.subscribeVisibleLogicalRangeChange(move);
  element.addEventListener('pointerdown', press);
  element.addEventListener('wheel', wheel, { passive: false });
  window.addEventListener('pointerup', letGo);
  window.addEventListener('pointercancel', letGo);
  return () => {
    scale.unsubscribeVisibleLogicalRangeChange(move);
    element.removeEventListener('pointerdown', press);
    element.removeEventListener('wheel', wheel);
    window.removeEventListener('pointerup', letGo);
    window.removeEventListener('pointercancel', letGo);
  };
}

function syncSeries(
  api: IChartApi,
  drawn: Map<string, AnySeries>,
  specs: TimeChartProps['series'],
  theme: ChartTheme,
) {
  for (const [id, old] of drawn) {
    if (!specs.some((spec) => spec.id === id)) {
      api.removeSeries(old);
      drawn.delete(id);
    }
  }
  for (const spec of specs) {
    const options = drawSeries(spec, theme, LineStyle);
    let item = drawn.get(spec.id);
    if (!item) {
      item = api.addSeries(SERIES[spec.kind], options, spec.pane ?? 0) as AnySeries;
      if (spec.kind === 'band') {
        item.priceScale().applyOptions({ scaleMargins: { top: 0, bottom: 0 } });
        item.setSeriesOrder(0);
      }
      drawn.set(spec.id, item);
    } else item.applyOptions(options);
    item.setData(seriesData(spec) as never);
  }
}
