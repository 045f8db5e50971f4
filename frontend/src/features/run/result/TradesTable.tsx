import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { EM_DASH } from '@/lib/format';
import { momentOf, timeOf } from '@/lib/series';
import { useFormat } from '@/lib/use-format';
import { type Column, DataTable } from './DataTable';
import type { NumberedTrade } from './trade-view';
import { useReasons } from './use-reasons';

interface TradesTableProps {
  trades: readonly NumberedTrade[];
  manySymbols: boolean;
  selected: number | undefined;
  onSelect: (number: number | undefined) => void;
}

const moment = (iso: string) => momentOf(timeOf(iso));
const tone = (trade: NumberedTrade) => ((trade.profit ?? 0) > 0 ? 'gain' : 'loss');

export function TradesTable({ trades, manySymbols, selected, onSelect }: TradesTableProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const reason = useReasons();
  const columns = useMemo(() => {
    const widest = trades.reduce((most, trade) => Math.max(most, Math.abs(trade.return ?? 0)), 0);
    const anyShort = trades.some((trade) => trade.side === 'short');
    const all: (Column<NumberedTrade> | false)[] = [
      {
        id: 'number',
        head: '#',
        by: (trade) => trade.number,
        className: () => 'num dim',
        cell: (trade) => (
          <button
            type="button"
            className="plain"
            aria-pressed={trade.number === selected}
            aria-label={t('trades.trade_no', { n: trade.number })}
          >
            {trade.number}
          </button>
        ),
      },
      manySymbols && {
        id: 'symbol',
        head: t('positions.symbol'),
        by: (trade) => trade.symbol,
        className: () => 'strong',
        cell: (trade) => trade.symbol,
      },
      anyShort && {
        id: 'side',
        head: t('trades.side'),
        by: (trade) => trade.side,
        className: () => 'soft',
        cell: (trade) => t(`trades.${trade.side}`),
      },
      {
        id: 'entry',
        head: t('trades.entry'),
        by: (trade) => trade.entry_date,
        className: () => 'num',
        cell: (trade) => moment(trade.entry_date),
      },
      {
        id: 'exit',
        head: t('trades.exit'),
        by: (trade) => trade.exit_date,
        className: () => 'num',
        cell: (trade) =>
          trade.exit_date === null ? (
            <span className="dim">{t('trades.still_open')}</span>
          ) : (
            moment(trade.exit_date)
          ),
      },
      {
        id: 'bars',
        head: t('trades.held'),
        num: true,
        by: (trade) => trade.bars,
        className: () => 'dim',
        cell: (trade) => t('result.bars', { count: trade.bars, n: f.integer(trade.bars) }),
      },
      {
        id: 'entry_price',
        head: t('trades.entry_price'),
        num: true,
        cell: (trade) => f.price(trade.entry_price),
      },
      {
        id: 'exit_price',
        head: t('trades.exit_price'),
        num: true,
        cell: (trade) => f.price(trade.exit_price),
      },
      { id: 'shares', head: t('trades.shares'), num: true, cell: (trade) => f.number(trade.shares, 1) },
      {
        id: 'profit',
        head: t('trades.pnl'),
        num: true,
        by: (trade) => trade.profit,
        className: tone,
        cell: (trade) => f.money(trade.profit, { signed: true }),
      },
      {
        id: 'return',
        head: t('trades.return_pct'),
        num: true,
        by: (trade) => trade.return,
        className: (trade) => `${tone(trade)} strong`,
        cell: (trade) => f.percent(trade.return, { signed: true }),
      },
      {
        id: 'bar',
        head: t('trades.return_pct'),
        silent: true,
        cell: (trade) => <ReturnBar value={trade.return ?? 0} widest={widest} />,
      },
      {
        id: 'mae',
        head: t('trades.mae'),
        num: true,
        by: (trade) => trade.mae ?? null,
        cell: (trade) => f.percent(trade.mae),
      },
      {
        id: 'mfe',
        head: t('trades.mfe'),
        num: true,
        by: (trade) => trade.mfe ?? null,
        cell: (trade) => f.percent(trade.mfe, { signed: true }),
      },
      {
        id: 'costs',
        head: t('trades.costs'),
        num: true,
        by: (trade) => trade.costs,
        className: () => 'dim',
        cell: (trade) => (trade.costs === null ? EM_DASH : f.money(trade.costs)),
      },
      {
        id: 'reason',
        head: t('trades.reason'),
        by: (trade) => trade.reason,
        className: () => 'soft',
        cell: (trade) => reason(trade.reason),
      },
    ];
    return all.filter((column) => column !== false);
  }, [trades, manySymbols, selected, reason, f, t]);
  return (
    <DataTable
      rows={trades}
      columns={columns}
      keyOf={(trade) => trade.number}
      selected={selected}
      onSelect={onSelect}
      label={t('trades.rows_trades')}
    />
  );
}

/** Diverges from the middle, so that gains and losses are compared by length, not by colour. */
function ReturnBar({ value, widest }: { value: number; widest: number }) {
  const half = widest > 0 ? 50 * (Math.abs(value) / widest) : 0;
  return (
    <svg width="104" height="10" viewBox="0 0 104 10" aria-hidden="true" style={{ display: 'block' }}>
      <line x1="52" x2="52" y1="0" y2="10" stroke="var(--line-strong)" />
      <rect
        x={value > 0 ? 52 : 52 - half}
        y="2"
        width={half}
        height="6"
        rx="1"
        fill={value > 0 ? 'var(--gain)' : 'var(--loss)'}
      />
    </svg>
  );
}
