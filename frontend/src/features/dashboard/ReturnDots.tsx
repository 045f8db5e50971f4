import { useTranslation } from 'react-i18next';
import type { BacktestSummary } from '@/api';
import { useFormat } from '@/lib/use-format';
import { growth, legibleTicks } from './growth-axis';

const WIDTH = 304;
const HEIGHT = 74;
const BASE = HEIGHT - 18;
const GRID = 6;
const ROWS = 8;

export function ReturnDots({ runs }: { runs: BacktestSummary[] }) {
  const { t } = useTranslation();
  const f = useFormat();
  const dots = runs.flatMap((run) => {
    const value = run.metrics?.total_return;
    return typeof value === 'number' ? [{ id: run.backtest_id, name: run.name, value }] : [];
  });
  const values = dots.map((dot) => dot.value);
  const low = growth(Math.min(-0.5, ...values)) - 0.3;
  const high = growth(Math.max(1, ...values)) + 0.3;
  const x = (value: number) => ((growth(value) - low) / (high - low)) * WIDTH;
  const stacks = new Map<number, number>();
  const placed = dots.map((dot) => {
    const slot = Math.round(x(dot.value) / GRID);
    const level = stacks.get(slot) ?? 0;
    stacks.set(slot, level + 1);
    return { ...dot, slot, level };
  });
  // More dots than fit above each other come closer together.
  const step = GRID * Math.min(1, ROWS / Math.max(1, ...stacks.values()));
  const ticks = legibleTicks(x, WIDTH);
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width="100%" role="img" aria-label={t('dashboard.month_return')}>
      {ticks.map((tick) => (
        <g key={tick}>
          <line
            x1={x(tick)}
            x2={x(tick)}
            y1="4"
            y2={BASE}
            stroke={tick === 0 ? 'var(--line-strong)' : 'var(--line)'}
          />
          <text x={x(tick)} y={HEIGHT - 3} fontSize="10" fill="var(--text-3)" textAnchor="middle">
            {f.percent(tick, { signed: true, digits: 0 })}
          </text>
        </g>
      ))}
      {placed.map((dot) => (
        <circle
          key={dot.id}
          cx={dot.slot * GRID}
          cy={BASE - 4 - dot.level * step}
          r="2.5"
          fill={dot.value >= 0 ? 'var(--gain)' : 'var(--loss)'}
        >
          <title>{`${dot.name} ${f.percent(dot.value, { signed: true })}`}</title>
        </circle>
      ))}
    </svg>
  );
}
