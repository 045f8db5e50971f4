/** Columns of equal length; a bar that lacks one of them is left out. */
export interface Candles {
  open: readonly (number | null)[];
  high: readonly (number | null)[];
  low: readonly (number | null)[];
  close: readonly (number | null)[];
}

export interface SeriesSpec {
  id: string;
  name: string;
  kind: 'line' | 'candles' | 'underwater' | 'band' | 'bars';
  /** UTC seconds (`timeOf`), ascending, each once. */
  t: readonly number[];
  values: readonly (number | null)[];
  candles?: Candles;
  /** Name of a colour token without `--`. */
  color: string;
  dashed?: boolean;
  width?: 1 | 2;
  pane?: number;
  format: (value: number) => string;
  /** Shown in the legend; defaults to `format`. */
  legend?: (value: number, index: number) => string;
  hiddenInLegend?: boolean;
}

export interface TradeMarker {
  t: number;
  kind: 'entry' | 'exit';
  color: string;
  text?: string;
  /** 1 by default; smaller where there are many. */
  size?: number;
}

export interface TimeChartProps {
  series: SeriesSpec[];
  height: number;
  /** A sentence that says what the picture shows, for screen readers. */
  label: string;
  log?: boolean;
  /** Stretch factors of the panes. */
  panes?: readonly number[];
  range?: readonly [from: number, to: number] | null;
  /** Time that the values of the legend are counted from. */
  since?: number;
  /** What the reader has zoomed to, once it stands still; `null` when that ends. */
  onZoom?: (range: readonly [from: number, to: number] | null) => void;
  markers?: TradeMarker[];
  /** `names` leaves the values out, for excerpts. */
  legend?: 'values' | 'names';
  /** The licence asks for a link once per page; small repeats leave it out. */
  credit?: boolean;
  onClickTime?: (time: number) => void;
}
