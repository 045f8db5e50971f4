import type { ReactNode } from 'react';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import {
  type AccountEvent,
  type Backtest,
  type ExportTable,
  exportUrl,
  type Fill,
  type Table,
  useAccountEvents,
  useFills,
} from '@/api';
import { PartError } from '@/components/PartError';
import { EmptyState, PageSkeleton } from '@/components/States';
import { EM_DASH } from '@/lib/format';
import { momentOf, timeOf } from '@/lib/series';
import { useFormat } from '@/lib/use-format';
import { type Column, DataTable } from './DataTable';
import classes from './result.module.css';
import { useReasons } from './use-reasons';

type Numbered<T> = T & { number: number };
const moment = (iso: string) => momentOf(timeOf(iso));

export function FillsTable({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const f = useFormat();
  const reason = useReasons();
  const query = useFills(run.backtest_id);
  const columns = useMemo<Column<Numbered<Fill>>[]>(
    () => [
      { id: 'number', head: '#', className: () => 'num dim', cell: (fill) => f.integer(fill.number) },
      { id: 'date', head: t('fills.date'), className: () => 'num', cell: (fill) => moment(fill.date) },
      {
        id: 'symbol',
        head: t('positions.symbol'),
        by: (fill) => fill.symbol,
        className: () => 'strong',
        cell: (fill) => fill.symbol,
      },
      { id: 'side', head: t('fills.side'), by: (fill) => fill.side, cell: (fill) => t(`fills.${fill.side}`) },
      {
        id: 'shares',
        head: t('trades.shares'),
        num: true,
        by: (fill) => fill.shares,
        cell: (fill) => f.number(fill.shares, 1),
      },
      { id: 'price', head: t('positions.price'), num: true, cell: (fill) => f.price(fill.price) },
      {
        id: 'value',
        head: t('positions.value'),
        num: true,
        by: (fill) => (fill.shares ?? 0) * (fill.price ?? 0),
        cell: (fill) => f.money((fill.shares ?? 0) * (fill.price ?? 0)),
      },
      {
        id: 'commission',
        head: t('costs.commission'),
        num: true,
        by: (fill) => fill.commission,
        className: () => 'dim',
        cell: (fill) => f.money(fill.commission),
      },
      {
        id: 'order',
        head: t('fills.order'),
        className: () => 'soft',
        cell: (fill) => (fill.order ? t(`fills.order_${fill.order}`) : EM_DASH),
      },
      {
        id: 'at',
        head: t('fills.at'),
        className: () => 'soft',
        cell: (fill) => (fill.at ? t(`fills.at_${fill.at}`) : EM_DASH),
      },
      {
        id: 'reason',
        head: t('fills.reason'),
        by: (fill) => fill.reason,
        className: () => 'soft',
        cell: (fill) => reason(fill.reason),
      },
    ],
    [reason, f, t],
  );
  return (
    <Rows query={query} id={run.backtest_id} table="fills" empty={t('fills.none')}>
      {(rows) => (
        <DataTable
          rows={rows}
          columns={columns}
          keyOf={(fill) => fill.number}
          label={t('trades.rows_fills')}
        />
      )}
    </Rows>
  );
}

export function EventsTable({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const f = useFormat();
  const query = useAccountEvents(run.backtest_id);
  const columns = useMemo<Column<Numbered<AccountEvent>>[]>(
    () => [
      { id: 'date', head: t('fills.date'), className: () => 'num', cell: (event) => moment(event.date) },
      {
        id: 'symbol',
        head: t('positions.symbol'),
        by: (event) => event.symbol,
        className: () => 'strong',
        cell: (event) => event.symbol,
      },
      {
        id: 'kind',
        head: t('events.kind'),
        by: (event) => event.kind,
        cell: (event) => t(`events.${event.kind}`),
      },
      {
        id: 'value',
        head: t('events.value'),
        num: true,
        cell: (event) => (event.value === null ? EM_DASH : f.number(event.value, 4)),
      },
      { id: 'shares', head: t('events.shares'), num: true, cell: (event) => f.number(event.shares, 1) },
      {
        id: 'cash',
        head: t('events.cash'),
        num: true,
        by: (event) => event.cash,
        cell: (event) => f.money(event.cash, { signed: true }),
      },
    ],
    [f, t],
  );
  return (
    <Rows query={query} id={run.backtest_id} table="account-events" empty={t('events.none')}>
      {(rows) => (
        <DataTable
          rows={rows}
          columns={columns}
          keyOf={(event) => event.number}
          label={t('trades.rows_events')}
        />
      )}
    </Rows>
  );
}

interface RowsProps<T> {
  query: { data?: Table<T>; isError: boolean; error: unknown; refetch: () => unknown };
  id: string;
  table: ExportTable;
  empty: string;
  children: (rows: Numbered<T>[]) => ReactNode;
}

function Rows<T>({ query, id, table, empty, children }: RowsProps<T>) {
  const { t } = useTranslation();
  const f = useFormat();
  const { data } = query;
  const rows = useMemo(() => data?.rows.map((row, index) => ({ ...row, number: index + 1 })) ?? [], [data]);
  if (query.isError) return <PartError error={query.error} onRetry={() => void query.refetch()} />;
  if (!data) return <PageSkeleton heights={[240]} />;
  if (rows.length === 0) return <EmptyState title={empty} />;
  return (
    <>
      {data.total > rows.length && (
        <p className={`${classes.tableNote} small dim`}>
          {t('table.first_rows', { n: f.integer(rows.length), total: f.integer(data.total) })}{' '}
          <a className="link" href={exportUrl(id, table, 'csv')} download>
            {t('table.all_rows')}
          </a>
        </p>
      )}
      {children(rows)}
    </>
  );
}
