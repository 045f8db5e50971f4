import { Skeleton } from '@mantine/core';
import type { EChartsCoreOption, EChartsType } from 'echarts/core';
import { useEffect, useRef, useState } from 'react';
import { type ChartTheme, useChartTheme } from './use-chart-theme';

interface EChartProps {
  /** Keep it stable with useCallback: a new function redraws. */
  option: (theme: ChartTheme) => EChartsCoreOption;
  height: number;
  label: string;
}

export function EChart({ option, height, label }: EChartProps) {
  const theme = useChartTheme();
  const box = useRef<HTMLDivElement>(null);
  const [ready, setReady] = useState(false);
  useEffect(() => {
    let chart: EChartsType | undefined;
    let closed = false;
    const element = box.current as HTMLDivElement;
    const observer = new ResizeObserver(() => chart?.resize());
    void import('./echarts').then(({ init }) => {
      if (closed) return;
      chart = init(element, undefined, { renderer: 'canvas' });
      chart.setOption({
        animation: false,
        textStyle: { fontFamily: theme.token('font'), fontSize: 11, color: theme.token('text-3') },
        ...option(theme),
      });
      observer.observe(element);
      setReady(true);
    });
    return () => {
      closed = true;
      observer.disconnect();
      chart?.dispose();
    };
  }, [option, theme]);
  return (
    <div style={{ position: 'relative' }}>
      {!ready && <Skeleton height={height} pos="absolute" inset={0} />}
      <div ref={box} style={{ height }} role="img" aria-label={label} />
    </div>
  );
}

/** Axis and tooltip look shared by all ECharts drawings. */
export function axisStyle(theme: ChartTheme) {
  return {
    axisLine: { lineStyle: { color: theme.token('line-strong') } },
    axisTick: { show: false },
    axisLabel: { color: theme.token('text-3'), fontSize: 11 },
    splitLine: { lineStyle: { color: theme.token('line') } },
  };
}

export function tooltipStyle(theme: ChartTheme) {
  return {
    // Drawn on the canvas: as elements it would write styles that the content security policy refuses.
    renderMode: 'richText' as const,
    backgroundColor: theme.token('surface'),
    borderColor: theme.token('line-strong'),
    textStyle: { color: theme.token('text'), fontSize: 12, fontFamily: theme.token('font') },
    padding: [6, 10],
  };
}
