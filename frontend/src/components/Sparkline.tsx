import { toneOfReturn } from '@/lib/metrics';

interface SparklineProps {
  values: readonly number[];
  width?: number;
  height?: number;
  label: string;
}

/** Equity of one run. The hairline is the starting capital; the stroke's end shows the outcome. */
export function Sparkline({ values, width = 96, height = 24, label }: SparklineProps) {
  if (values.length < 2) return <span className="dim">—</span>;
  const low = Math.min(1, ...values);
  const high = Math.max(1, ...values);
  const span = high - low || 1;
  const x = (i: number) => 1 + (i / (values.length - 1)) * (width - 5);
  const y = (v: number) => height - 3 - ((v - low) / span) * (height - 6);
  const path = values.map((v, i) => `${i ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join('');
  const last = values.at(-1) as number;
  const color = `var(--${toneOfReturn(last - 1) ?? 'text-3'})`;
  return (
    <svg
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
      style={{ display: 'block' }}
    >
      <line x1="0" x2={width} y1={y(1)} y2={y(1)} stroke="var(--line-strong)" strokeDasharray="2 3" />
      <path d={path} fill="none" stroke="var(--text-2)" strokeWidth="1.3" strokeLinejoin="round" />
      <circle cx={x(values.length - 1)} cy={y(last)} r="2.2" fill={color} />
    </svg>
  );
}
