import { useTranslation } from 'react-i18next';
import { indexAt, momentOf } from '@/lib/series';
import classes from './charts.module.css';
import type { SeriesSpec } from './time-chart-types';
import type { ChartTheme } from './use-chart-theme';

interface ChartLegendProps {
  series: SeriesSpec[];
  time: number | null;
  /** What the values are counted from. */
  since?: number;
  theme: ChartTheme;
  names: boolean;
  /** Given while the reader has zoomed. */
  onReset?: () => void;
}

/** Values under the crosshair, or the last ones: the reader never has to trace to the axis. */
export function ChartLegend({ series, time, since, theme, names, onReset }: ChartLegendProps) {
  const { t } = useTranslation();
  const first = series.find((item) => !item.hiddenInLegend);
  const at = time ?? first?.t.at(-1);
  if (!first || at === undefined) return null;
  return (
    <div className={classes.legend}>
      {!names && (
        <span className="num dim">
          {since === undefined || since > at ? '' : `${momentOf(since)} – `}
          {momentOf(at)}
        </span>
      )}
      {series
        .filter((item) => !item.hiddenInLegend)
        .map((item) => {
          const index = time === null ? item.t.length - 1 : indexAt(item.t, at);
          const value = item.candles ? item.candles.close[index] : item.values[index];
          return (
            <span key={item.id} className={classes.entry}>
              <svg width="14" height="8" aria-hidden="true">
                <line
                  x1="0"
                  x2="14"
                  y1="4"
                  y2="4"
                  stroke={theme.token(item.color)}
                  strokeWidth="2"
                  strokeDasharray={item.dashed ? '4 2' : undefined}
                />
              </svg>
              {item.name}
              {!names && (
                <b className="num">
                  {value === null || value === undefined ? '—' : (item.legend ?? item.format)(value, index)}
                </b>
              )}
            </span>
          );
        })}
      {onReset && (
        <button type="button" className={classes.reset} onClick={onReset}>
          {t('chart.reset_zoom')}
        </button>
      )}
    </div>
  );
}
