import type {
  AutoscaleInfo,
  ChartOptions,
  DeepPartial,
  LineStyle,
  PriceRange,
  Time,
} from 'lightweight-charts';
import { momentOf } from '@/lib/series';
import type { SeriesSpec } from './time-chart-types';
import type { ChartTheme } from './use-chart-theme';

export function chartOptions(theme: ChartTheme, intraday: boolean): DeepPartial<ChartOptions> {
  const line = theme.token('line');
  return {
    autoSize: true,
    layout: {
      textColor: theme.token('text-3'),
      fontFamily: theme.token('font'),
      fontSize: 11,
      panes: { separatorColor: line, separatorHoverColor: theme.token('surface-2'), enableResize: true },
    },
    grid: { vertLines: { visible: false }, horzLines: { color: line } },
    rightPriceScale: { borderVisible: false, minimumWidth: 64, entireTextOnly: true },
    timeScale: {
      borderColor: line,
      fixLeftEdge: true,
      fixRightEdge: true,
      minBarSpacing: 0.05,
      lockVisibleTimeRangeOnResize: true,
      timeVisible: intraday,
      secondsVisible: false,
    },
    crosshair: {
      mode: 0,
      vertLine: {
        color: theme.token('text-3'),
        width: 1,
        style: 2,
        labelBackgroundColor: theme.token('ink'),
      },
      horzLine: {
        color: theme.token('text-3'),
        width: 1,
        style: 2,
        labelBackgroundColor: theme.token('ink'),
      },
    },
    localization: {
      locale: theme.locale,
      timeFormatter: (time: Time) => momentOf(time as number),
    },
    handleScroll: { mouseWheel: false, vertTouchDrag: false },
    handleScale: { mouseWheel: false, axisPressedMouseMove: true },
  };
}

/** A line that does not move stands in the middle of an axis whose labels differ. */
export function withRoom({ minValue, maxValue }: PriceRange): PriceRange {
  const size = Math.max(Math.abs(minValue), Math.abs(maxValue));
  if (maxValue - minValue > FLAT * size) return { minValue, maxValue };
  const room = size === 0 ? 1 : ROOM * size;
  return { minValue: minValue - room, maxValue: maxValue + room };
}

const FLAT = 1e-6;
const ROOM = 0.005;

export function drawSeries(spec: SeriesSpec, theme: ChartTheme, styles: typeof LineStyle) {
  const color = theme.token(spec.color);
  const shared = {
    lastValueVisible: false,
    priceLineVisible: false,
    priceFormat: { type: 'custom' as const, formatter: spec.format, minMove: 0.0001 },
  };
  switch (spec.kind) {
    case 'candles':
      return {
        ...shared,
        upColor: theme.token('gain'),
        downColor: theme.token('loss'),
        wickUpColor: theme.token('gain'),
        wickDownColor: theme.token('loss'),
        borderVisible: false,
      };
    case 'underwater':
      return {
        ...shared,
        baseValue: { type: 'price' as const, price: 0 },
        topLineColor: 'transparent',
        topFillColor1: 'transparent',
        topFillColor2: 'transparent',
        bottomLineColor: color,
        bottomFillColor1: theme.alpha('loss', 0.06),
        bottomFillColor2: theme.alpha('loss', 0.26),
        lineWidth: 1 as const,
      };
    case 'bars':
      return { ...shared, color, base: 0 };
    case 'band':
      return {
        ...shared,
        topColor: color,
        bottomColor: color,
        lineVisible: false,
        priceScaleId: 'band',
        crosshairMarkerVisible: false,
        autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 1 } }),
      };
    default:
      return {
        ...shared,
        color,
        lineWidth: spec.width ?? (2 as const),
        lineStyle: spec.dashed ? styles.Dashed : styles.Solid,
        crosshairMarkerRadius: 3,
        autoscaleInfoProvider: (original: () => AutoscaleInfo | null) => {
          const info = original();
          return info?.priceRange ? { ...info, priceRange: withRoom(info.priceRange) } : info;
        },
      };
  }
}

export function seriesData(spec: SeriesSpec) {
  const { candles } = spec;
  return spec.t.map((time, i) => {
    if (candles) {
      const bar = {
        open: candles.open[i],
        high: candles.high[i],
        low: candles.low[i],
        close: candles.close[i],
      };
      return Object.values(bar).some((price) => price == null) ? { time } : { time, ...bar };
    }
    const value = spec.values[i];
    return value === null || value === undefined ? { time } : { time, value };
  });
}
