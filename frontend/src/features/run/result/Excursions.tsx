import { useCallback, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { axisStyle, EChart, tooltipStyle } from '@/components/charts/EChart';
import type { ChartTheme } from '@/components/charts/use-chart-theme';
import { Panel } from '@/components/Panel';
import { EmptyState } from '@/components/States';
import { momentOf, timeOf } from '@/lib/series';
import { useFormat } from '@/lib/use-format';
import type { NumberedTrade } from './trade-view';

/** How far each trade went against its holder, and where it ended. */
export function Excursions({ trades }: { trades: readonly NumberedTrade[] }) {
  const { t } = useTranslation();
  const f = useFormat();
  const known = useMemo(() => trades.filter((trade) => trade.mae != null && trade.return != null), [trades]);
  const option = useCallback(
    (theme: ChartTheme) => {
      const deepest = known.reduce((least, trade) => Math.min(least, trade.mae ?? 0), 0);
      const digits = deepest > -0.08 ? 1 : 0;
      const axis = {
        ...axisStyle(theme),
        axisLabel: {
          ...axisStyle(theme).axisLabel,
          formatter: (value: number) => f.percent(value, { digits }),
        },
      };
      return {
        grid: { left: 52, right: 16, top: 12, bottom: 28 },
        tooltip: {
          ...tooltipStyle(theme),
          formatter: ({ dataIndex }: { dataIndex: number }) => {
            const trade = known[dataIndex];
            if (!trade) return '';
            return [
              `#${trade.number} ${trade.symbol} ${momentOf(timeOf(trade.entry_date))}`,
              `${t('trades.mae')} ${f.percent(trade.mae)}`,
              `${t('trades.return_pct')} ${f.percent(trade.return, { signed: true })}`,
            ].join('\n');
          },
        },
        xAxis: { type: 'value', max: 0, ...axis },
        yAxis: { type: 'value', ...axis },
        series: [
          {
            type: 'scatter',
            large: known.length > 2000,
            symbolSize: known.length > 300 ? 5 : 9,
            data: known.map((trade) => {
              const won = (trade.profit ?? 0) > 0;
              return {
                value: [trade.mae, trade.return],
                symbol: won ? 'circle' : 'diamond',
                itemStyle: { color: theme.token(won ? 'gain' : 'loss'), opacity: 0.85 },
              };
            }),
          },
        ],
      };
    },
    [known, f, t],
  );
  return (
    <Panel title={t('result.mae_mfe')}>
      {known.length > 0 ? (
        <>
          <EChart option={option} height={248} label={t('result.mae_mfe')} />
          <p className="tiny dim">{t('result.mae_mfe_note')}</p>
        </>
      ) : (
        <EmptyState title={t('trades.none')} body={t('trades.none_body')} />
      )}
    </Panel>
  );
}
