import type { SymbolInfo } from '@/api';
import { useFormat } from '@/lib/use-format';

/** The axis that all coverage bars and the period slider share, in epoch milliseconds. */
export interface Axis {
  from: number;
  to: number;
}

/** Whole years around everything that is held. */
export function axisOf(items: readonly Pick<SymbolInfo, 'first' | 'last'>[]): Axis {
  const years = items.flatMap((item) => [Number(item.first.slice(0, 4)), Number(item.last.slice(0, 4)) + 1]);
  const now = new Date().getUTCFullYear();
  const [first, last] = years.length ? [Math.min(...years), Math.max(...years)] : [now - 10, now + 1];
  return { from: Date.UTC(first, 0), to: Date.UTC(last, 0) };
}

export const axisShare = (axis: Axis, iso: string) =>
  Math.min(1, Math.max(0, (Date.parse(iso) - axis.from) / (axis.to - axis.from)));

interface CoverageBarProps {
  item: Pick<SymbolInfo, 'symbol' | 'first' | 'last'>;
  axis: Axis;
  /** The chosen period, drawn over what the source holds. */
  period?: [from: string, to: string];
}

export function CoverageBar({ item, axis, period }: CoverageBarProps) {
  const f = useFormat();
  const label = `${item.symbol}: ${f.isoDate(item.first)} – ${f.isoDate(item.last)}`;
  const box = (from: number, to: number, fill: string) => (
    <rect
      x={`${from * 100}%`}
      width={`${Math.max(0, to - from) * 100}%`}
      y="0"
      height="8"
      rx="2"
      fill={fill}
    />
  );
  const first = axisShare(axis, item.first);
  const last = axisShare(axis, item.last);
  return (
    <svg width="100%" height="8" role="img" aria-label={label}>
      <title>{label}</title>
      <rect width="100%" height="8" rx="2" fill="var(--surface-2)" />
      {box(first, last, 'var(--line-strong)')}
      {period &&
        box(
          Math.max(first, axisShare(axis, period[0])),
          Math.min(last, axisShare(axis, period[1])),
          'var(--accent)',
        )}
    </svg>
  );
}
