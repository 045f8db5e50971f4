import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import type { Charts } from '@/api';
import { axisStyle, EChart, tooltipStyle } from '@/components/charts/EChart';
import type { ChartTheme } from '@/components/charts/use-chart-theme';
import { Panel } from '@/components/Panel';
import { EmptyState } from '@/components/States';
import { useFormat } from '@/lib/use-format';
import { labelStep } from '../axis';

const HEIGHT = 248;

/** How the returns spread, beside the normal distribution that is often assumed. */
export function Distribution({ charts }: { charts: Charts }) {
  const { t } = useTranslation();
  const f = useFormat();
  const { distribution, period } = charts;
  const option = useCallback(
    (theme: ChartTheme) => {
      if (!distribution) return {};
      const { low, width, counts, below, above } = distribution;
      const from = (bin: number) => low + bin * width;
      const total = counts.reduce((sum, n) => sum + n, below + above);
      const [m, s] = [distribution.mean ?? 0, distribution.deviation ?? 0];
      const normal = (x: number) =>
        s > 0
          ? (total * width * Math.exp(-((x - m) ** 2) / (2 * s * s))) / (s * Math.sqrt(2 * Math.PI))
          : null;
      const digits = width < 0.002 ? 2 : 1;
      const step = labelStep(width, counts.length, 10);
      const edge = (value: number) => f.percent(Math.abs(value) < 1e-12 ? 0 : value, { digits });
      return {
        grid: { left: 48, right: 16, top: 12, bottom: 28 },
        tooltip: {
          ...tooltipStyle(theme),
          trigger: 'axis',
          formatter: (items: { dataIndex: number }[]) => {
            const bin = items[0]?.dataIndex ?? 0;
            return `${edge(from(bin))} … ${edge(from(bin + 1))}\n${t('result.returns_count', { count: counts[bin], n: f.integer(counts[bin]) })}`;
          },
        },
        xAxis: {
          type: 'category',
          data: counts.map((_, bin) => edge(from(bin))),
          ...axisStyle(theme),
          axisLabel: {
            ...axisStyle(theme).axisLabel,
            // On round numbers and on zero, which is the middle edge.
            interval: (bin: number) => (bin - counts.length / 2) % step === 0,
          },
        },
        yAxis: { type: 'value', minInterval: 1, ...axisStyle(theme) },
        series: [
          {
            type: 'bar',
            barCategoryGap: '8%',
            data: counts.map((value, bin) => ({
              value,
              itemStyle: { color: theme.alpha(bin >= counts.length / 2 ? 'gain' : 'loss', 0.75) },
            })),
          },
          {
            type: 'line',
            symbol: 'none',
            smooth: true,
            data: counts.map((_, bin) => normal(from(bin + 0.5))),
            lineStyle: { color: theme.token('text-2'), width: 1.5, type: 'dashed' },
          },
        ],
      };
    },
    [distribution, f, t],
  );
  const title = t(`result.distribution_${period}`);
  if (!distribution) {
    return (
      <Panel title={title}>
        <EmptyState title={t('result.no_returns')} />
      </Panel>
    );
  }
  const outside = distribution.below + distribution.above;
  return (
    <Panel title={title} note={t('result.distribution_note')}>
      <EChart option={option} height={HEIGHT} label={title} />
      <p className="tiny dim">
        {[
          t('result.flat', { n: f.integer(distribution.flat) }),
          outside > 0 && t('result.outside', { n: f.integer(outside) }),
        ]
          .filter(Boolean)
          .join(' ')}
      </p>
    </Panel>
  );
}
