import { useMediaQuery } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '@/components/icons';
import { TableFrame } from '@/components/TableFrame';
import ui from '@/components/ui.module.css';
import { type Order, ordered } from './order';
import classes from './result.module.css';

export interface Column<T> {
  id: string;
  head: string;
  /** The head is read out, not shown. */
  silent?: boolean;
  num?: boolean;
  className?: (row: T) => string | undefined;
  cell: (row: T) => ReactNode;
  /** What to sort by; a column without it cannot be sorted. */
  by?: (row: T) => number | string | null;
}

interface DataTableProps<T> {
  rows: readonly T[];
  columns: readonly Column<T>[];
  /** Number of a row that stays the same however the table is sorted. */
  keyOf: (row: T) => number;
  selected?: number;
  onSelect?: (key: number | undefined) => void;
  label: string;
}

/** Heights of a row and of the sticky head, which is above and over the rows; a finger needs more than a mouse. */
const FINE = { row: 29, head: 28 };
const TOUCH = { row: 44, head: 44 };

/** A table of any length: sorted by its heads, and with only the visible rows in the page. */
export function DataTable<T>({ rows, columns, keyOf, selected, onSelect, label }: DataTableProps<T>) {
  const { t } = useTranslation();
  const frame = useRef<HTMLDivElement>(null);
  const heights = useMediaQuery('(max-width: 800px)', false, { getInitialValueInEffect: false })
    ? TOUCH
    : FINE;
  const [order, setOrder] = useState<Order | null>(null);
  const shown = useMemo(() => {
    const by = columns.find((column) => column.id === order?.id)?.by;
    return order && by ? ordered(rows, by, order.down) : rows;
  }, [rows, columns, order]);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => frame.current,
    estimateSize: () => heights.row,
    scrollMargin: heights.head,
    scrollPaddingStart: heights.head,
    overscan: 12,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: other heights, other places
  useEffect(() => virtual.measure(), [heights, virtual]);
  const place = selected === undefined ? -1 : shown.findIndex((row) => keyOf(row) === selected);
  useEffect(() => {
    // Only the table's own frame moves: the page under the reader stays where it is.
    if (place >= 0) virtual.scrollToIndex(place, { align: 'auto' });
  }, [place, virtual]);
  const items = virtual.getVirtualItems();
  const before = (items[0]?.start ?? heights.head) - heights.head;
  const after = virtual.getTotalSize() + heights.head - (items.at(-1)?.end ?? heights.head);
  const turn = (id: string) =>
    setOrder((old) => (old?.id !== id ? { id, down: true } : old.down ? { id, down: false } : null));

  return (
    <TableFrame ref={frame} tall>
      <table className={ui.table} aria-rowcount={shown.length + 1}>
        <caption className="visually-hidden">{label}</caption>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column) => {
              const active = order?.id === column.id;
              const text = column.silent ? (
                <span className="visually-hidden">{column.head}</span>
              ) : (
                column.head
              );
              return (
                <th
                  key={column.id}
                  data-num={column.num || undefined}
                  aria-sort={active ? (order.down ? 'descending' : 'ascending') : undefined}
                >
                  {column.by ? (
                    <button
                      type="button"
                      className={classes.sort}
                      title={t('table.sort')}
                      onClick={() => turn(column.id)}
                    >
                      {text}
                      {active && <Icon name={order.down ? 'sort_down' : 'sort_up'} size={12} />}
                    </button>
                  ) : (
                    text
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {before > 0 && <Gap height={before} columns={columns.length} />}
          {items.map((item) => {
            const row = shown[item.index] as T;
            const key = keyOf(row);
            const active = key === selected;
            return (
              <tr
                key={key}
                aria-rowindex={item.index + 2}
                data-click={onSelect ? true : undefined}
                data-selected={active || undefined}
                onClick={onSelect && (() => onSelect(active ? undefined : key))}
              >
                {columns.map((column) => (
                  <td key={column.id} data-num={column.num || undefined} className={column.className?.(row)}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
          {after > 0 && <Gap height={after} columns={columns.length} />}
        </tbody>
      </table>
    </TableFrame>
  );
}

/** The room of the rows that are not in the page. */
const Gap = ({ height, columns }: { height: number; columns: number }) => (
  <tr>
    <td colSpan={columns} style={{ height, padding: 0, border: 0 }} />
  </tr>
);
