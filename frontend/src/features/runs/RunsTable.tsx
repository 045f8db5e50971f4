import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type BacktestSort, useStatuses } from '@/api';
import { Icon } from '@/components/icons';
import { useNames } from '@/lib/names';
import { useFormat } from '@/lib/use-format';
import { useNow } from '@/lib/use-now';
import { COLUMNS, type Column } from './columns';
import { type RowHandlers, RowSkeleton, RunRow } from './RunRow';
import classes from './runs.module.css';
import { nextSort } from './search';
import { MOST_SELECTED, type Selection } from './selection';
import { pagesOf, type RunWindow } from './use-window';

const ROW = 44;
const PHONE_ROW = 84;
/** Rows of a list that is not there yet. */
const GUESSED = 14;
/** Waiting rows whose place in the queue is asked for. */
const PLACES = 8;
/** What covers the top (its head, on a phone the bar) and the bottom (the selection) of the table. */
const COVERED = { top: 48, bottom: 84 };

interface RunsTableProps extends RowHandlers {
  window: RunWindow;
  sort: BacktestSort;
  onSort: (sort: BacktestSort) => void;
  selection: Selection;
  onSelectAll: (all: boolean) => void;
  /** The row that the keyboard is on; -1: none. */
  cursor: number;
  onWanted: (pages: string) => void;
  phone: boolean;
  children?: ReactNode;
}

/** ARIA table over divs: only the rows in sight exist and only their pages are read, so 50,000 runs scroll like 50. */
export function RunsTable(props: RunsTableProps) {
  const { window: list, sort, onSort, selection, onSelectAll, cursor, onWanted, phone, children } = props;
  const { onToggle, onOpen, onStar, onMenu } = props;
  const { t } = useTranslation();
  const f = useFormat();
  const names = useNames();
  const words = useMemo(() => ({ t, f, names }), [t, f, names]);
  const now = useNow();
  const body = useRef<HTMLDivElement>(null);
  const margin = useTop(body);
  const count = list.total ?? GUESSED;
  const height = phone ? PHONE_ROW : ROW;
  const virtual = useWindowVirtualizer({
    count,
    estimateSize: () => height,
    overscan: 10,
    scrollMargin: margin,
    scrollPaddingStart: COVERED.top,
    scrollPaddingEnd: COVERED.bottom,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: all rows have the height of the layout
  useLayoutEffect(() => virtual.measure(), [height]);

  const items = virtual.getVirtualItems();
  const wanted = pagesOf(items[0]?.index ?? 0, items.at(-1)?.index ?? 0, count);
  useEffect(() => onWanted(wanted), [wanted, onWanted]);

  const rows = items.map((item) => ({
    item,
    run: list.total === undefined ? undefined : list.at(item.index),
  }));
  const waiting = rows
    .flatMap(({ run }) => (run?.status === 'queued' && !list.stale ? [run.backtest_id] : []))
    .slice(0, PLACES);
  const statuses = useStatuses(waiting);

  useEffect(() => {
    if (cursor < 0) return;
    virtual.scrollToIndex(cursor, { align: 'auto' });
    const focus = () =>
      body.current?.querySelector<HTMLElement>(`[data-index="${cursor}"]`)?.focus({ preventScroll: true });
    const frame = requestAnimationFrame(focus);
    return () => cancelAnimationFrame(frame);
  }, [cursor, virtual]);

  return (
    <div
      role="table"
      aria-label={t('runs.title')}
      aria-rowcount={count + 1}
      aria-busy={list.stale || list.total === undefined}
      className={classes.table}
      data-stale={list.stale || undefined}
    >
      <Head list={list} sort={sort} onSort={onSort} selection={selection} onSelectAll={onSelectAll} />
      <div ref={body} className={classes.body} style={{ height: virtual.getTotalSize() }}>
        {rows.map(({ item, run }) =>
          run ? (
            <RunRow
              key={item.index}
              words={words}
              run={run}
              top={item.start - margin}
              height={item.size}
              index={item.index}
              selected={selection.has(run.backtest_id)}
              current={item.index === cursor}
              now={now}
              position={statuses.get(run.backtest_id)?.queue_position}
              onToggle={onToggle}
              onOpen={onOpen}
              onStar={onStar}
              onMenu={onMenu}
            />
          ) : (
            <RowSkeleton key={item.index} top={item.start - margin} height={item.size} index={item.index} />
          ),
        )}
        {children}
      </div>
    </div>
  );
}

/** How far down the page it begins. Measured when the page's height changes: while scrolling that costs too much. */
function useTop(element: RefObject<HTMLElement | null>): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => {
      if (element.current) setTop(Math.round(element.current.getBoundingClientRect().top + scrollY));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    const frame = element.current?.parentElement?.parentElement;
    if (frame) observer.observe(frame);
    return () => observer.disconnect();
  }, [element]);
  return top;
}

interface HeadProps {
  list: RunWindow;
  sort: BacktestSort;
  onSort: (sort: BacktestSort) => void;
  selection: Selection;
  onSelectAll: (all: boolean) => void;
}

function Head({ list, sort, onSort, selection, onSelectAll }: HeadProps) {
  const { t } = useTranslation();
  const box = useRef<HTMLInputElement>(null);
  const every = selection.size > 0 && selection.size >= Math.min(list.total ?? 0, MOST_SELECTED);
  useLayoutEffect(() => {
    if (box.current) box.current.indeterminate = selection.size > 0 && !every;
  }, [selection, every]);
  return (
    <div role="row" aria-rowindex={1} className={`${classes.row} ${classes.head}`}>
      <span role="columnheader" className={classes.check}>
        <label>
          <input
            ref={box}
            type="checkbox"
            className={classes.box}
            aria-label={t('list.select_all')}
            checked={every}
            onChange={() => onSelectAll(selection.size === 0)}
          />
        </label>
      </span>
      {COLUMNS.map((column) => (
        <HeadCell key={column.key} column={column} sort={sort} onSort={onSort} />
      ))}
      <span role="columnheader" className={classes.more}>
        <span className="visually-hidden">{t('list.col_more')}</span>
      </span>
    </div>
  );
}

interface HeadCellProps {
  column: Column;
  sort: BacktestSort;
  onSort: (sort: BacktestSort) => void;
}

function HeadCell({ column, sort, onSort }: HeadCellProps) {
  const { t } = useTranslation();
  const key = column.sort;
  const active = key !== null && sort.replace('-', '') === key;
  const down = sort.startsWith('-');
  const label = t(column.label);
  return (
    <span
      role="columnheader"
      className={classes[column.key]}
      data-num={column.number || undefined}
      aria-sort={active ? (down ? 'descending' : 'ascending') : undefined}
    >
      {key === null ? (
        label
      ) : (
        <button
          type="button"
          className={classes.sorter}
          data-active={active || undefined}
          onClick={() => onSort(nextSort(sort, key))}
        >
          {label}
          {active && <Icon name={down ? 'sort_down' : 'sort_up'} size={12} />}
        </button>
      )}
    </span>
  );
}
