import { Button } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type BacktestSummary, useBacktestCount, useReadBacktests, useUpdateBacktest } from '@/api';
import { Icon } from '@/components/icons';
import { Notice } from '@/components/Notice';
import { PageError } from '@/components/PageError';
import { PageHeader } from '@/components/PageHeader';
import { EmptyState } from '@/components/States';
import { notify, notifyProblem } from '@/lib/notify';
import { useFormat } from '@/lib/use-format';
import { FilterBar } from './FilterBar';
import { KeyHelp } from './KeyHelp';
import { type MenuPlace, RowMenu } from './RowMenu';
import { RunDrawer } from './RunDrawer';
import { RunsTable } from './RunsTable';
import classes from './runs.module.css';
import { SelectionBar } from './SelectionBar';
import {
  DEFAULT_SORT,
  hasFilters,
  type RunsSearch,
  toFilters,
  viewOf,
  without,
  withoutFilters,
} from './search';
import { clearSelection, MOST_SELECTED, refreshSelection, select, toggle, useSelection } from './selection';
import { useRunActions } from './use-actions';
import { useListKeys } from './use-keys';
import { useStable } from './use-stable';
import { useRunWindow } from './use-window';
import { ViewTabs } from './ViewTabs';
import { effective, isBuiltIn, tabOf, useSavedViews } from './views';

const HOUR_MS = 3_600_000;
const NO_CURSOR = -1;

export function RunsPage() {
  const { t } = useTranslation();
  const f = useFormat();
  const navigate = useNavigate();
  const address = useSearch({ from: '/runs' });
  const search = useMemo(() => effective(address), [address]);
  // a whole hour, so that "the last week" stays the same question while the page is open
  const [now] = useState(() => Math.floor(Date.now() / HOUR_MS) * HOUR_MS);
  const filters = useMemo(() => toFilters(search, now), [search, now]);
  const [wanted, setWanted] = useState('0');
  const list = useRunWindow(filters, wanted);
  const all = useBacktestCount().data;
  const phone = useMediaQuery('(max-width: 800px)', false, { getInitialValueInEffect: false });
  const selection = useSelection();
  const actions = useRunActions();
  const star = useUpdateBacktest();
  const read = useReadBacktests();
  const searchBox = useRef<HTMLInputElement>(null);
  const [cursor, setCursor] = useState(NO_CURSOR);
  const [menu, setMenu] = useState<MenuPlace | null>(null);
  const [help, setHelp] = useState(false);
  const anchor = useRef<number>(undefined);
  const bin = search.bin === true;
  const sort = search.sort ?? DEFAULT_SORT;
  const total = list.total;
  const filtered = hasFilters(search);

  const go = useStable((next: RunsSearch) => {
    setCursor(NO_CURSOR);
    void navigate({ to: '/runs', search: without(next), replace: true });
  });
  const change = useCallback(
    (part: RunsSearch) => {
      // a built-in view is left by changing it, one of the reader's own is kept as the one that was changed
      const view = isBuiltIn(address.view) ? undefined : address.view;
      go({ ...effective(address), ...part, view });
    },
    [address, go],
  );
  const question = JSON.stringify(viewOf(search));
  const selectedIn = useRef(bin);
  useEffect(() => {
    // the bin and the list of the others have nothing in common
    if (selectedIn.current !== bin) clearSelection();
    selectedIn.current = bin;
  }, [bin]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has other rows
  useEffect(() => {
    anchor.current = undefined;
  }, [question]);

  const { rows } = list;
  useEffect(() => refreshSelection(rows), [rows]);

  const open = useStable((run: BacktestSummary) => {
    if (!run.deleted_at) void navigate({ to: '/runs/$id', params: { id: run.backtest_id } });
  });
  const details = useStable((id: string | undefined) => {
    void navigate({
      to: '/runs',
      search: without({ ...address, details: id }),
      replace: id === undefined,
      resetScroll: false,
    });
  });
  const onToggle = useStable((index: number, range: boolean) => {
    const run = list.at(index);
    if (!run) return;
    const from = anchor.current;
    if (range && from !== undefined) {
      const [low, high] = [Math.min(from, index), Math.max(from, index)];
      const between = Array.from({ length: high - low + 1 }, (_, i) => list.at(low + i));
      select(
        between.filter((item) => item !== undefined),
        !selection.has(run.backtest_id),
      );
    } else toggle(run);
    anchor.current = index;
  });
  const onStar = useStable((run: BacktestSummary) =>
    star.mutate(
      { id: run.backtest_id, patch: { starred: !run.starred } },
      { onError: (problem) => notifyProblem(t, problem) },
    ),
  );
  const onMenu = useStable((run: BacktestSummary, button: HTMLElement) => {
    const body = button.closest('[role="table"]')?.lastElementChild?.getBoundingClientRect();
    const at = button.getBoundingClientRect();
    if (body) setMenu({ run, button, top: at.bottom - body.top, left: at.right - body.left });
  });
  const selectAll = async (everything: boolean) => {
    if (!everything) return clearSelection();
    try {
      const runs = await read(filters, MOST_SELECTED);
      select(runs);
      if ((total ?? 0) > MOST_SELECTED) notify(t('list.first_selected', { n: f.integer(MOST_SELECTED) }));
    } catch (error) {
      notifyProblem(t, error as Parameters<typeof notifyProblem>[1]);
    }
  };

  const current = cursor === NO_CURSOR ? undefined : list.at(cursor);
  useListKeys({
    move: (step) => {
      if (total) setCursor(Math.min(total - 1, Math.max(0, cursor + step)));
    },
    select: () => {
      if (current) onToggle(cursor, false);
    },
    open: () => {
      if (current) open(current);
    },
    star: () => {
      if (current && !bin) onStar(current);
    },
    details: () => {
      if (current && !bin) details(current.backtest_id);
    },
    search: () => {
      searchBox.current?.focus();
      searchBox.current?.select();
    },
    help: () => setHelp(true),
    clear: () => {
      if (selection.size > 0) clearSelection();
      else setCursor(NO_CURSOR);
    },
  });

  if (list.error && total === undefined) return <PageError error={list.error} onRetry={list.retry} />;
  return (
    <>
      <PageHeader
        title={t('runs.title')}
        meta={
          <span className="num">
            {total === undefined
              ? '\u00a0'
              : filtered && !bin && all !== undefined
                ? t('list.count_of', { n: f.integer(total), all: f.integer(all) })
                : t('list.count', { count: total, n: f.integer(total) })}
          </span>
        }
        actions={
          <Button
            leftSection={<Icon name="plus" size={14} />}
            renderRoot={(props) => <Link to="/runs/new" {...props} />}
            className={classes.wideOnly}
          >
            {t('nav.new')}
          </Button>
        }
      />
      <div className={classes.frame}>
        <ViewTabs search={address} now={now} />
        <FilterBar
          ref={searchBox}
          search={search}
          onChange={change}
          onClear={() => go(withoutFilters(search))}
        />
        {bin && total !== 0 && <p className={`${classes.line} small soft`}>{t('list.bin_hint')}</p>}
        {list.error && total !== undefined && (
          <div className={classes.line}>
            <Notice
              tone="warn"
              action={
                <Button variant="subtle" size="compact-xs" onClick={list.retry}>
                  {t('common.retry')}
                </Button>
              }
            >
              {t('list.not_read')}
            </Notice>
          </div>
        )}
        {total === 0 && !list.stale ? (
          <Empty search={address} all={all} onClear={() => go(withoutFilters(search))} />
        ) : (
          <RunsTable
            window={list}
            sort={sort}
            onSort={(next) => change({ sort: next })}
            selection={selection}
            onSelectAll={(select) => void selectAll(select)}
            cursor={cursor}
            onWanted={setWanted}
            phone={phone}
            onToggle={onToggle}
            onOpen={open}
            onStar={onStar}
            onMenu={onMenu}
          >
            <RowMenu
              place={menu}
              actions={actions}
              onOpen={open}
              onDetails={(run) => details(run.backtest_id)}
              onClose={() => setMenu(null)}
            />
          </RunsTable>
        )}
        {total !== 0 && (
          <p className={`${classes.keys} tiny dim`}>
            {t('list.keys')} ·{' '}
            <button type="button" className={classes.keysMore} onClick={() => setHelp(true)}>
              <kbd>?</kbd> {t('list.keys_title')}
            </button>
          </p>
        )}
      </div>
      {selection.size > 0 && (
        <SelectionBar
          selection={selection}
          bin={bin}
          actions={actions}
          onDetails={() => details([...selection.keys()][0])}
        />
      )}
      <KeyHelp opened={help} onClose={() => setHelp(false)} />
      <RunDrawer id={address.details} actions={actions} onClose={() => details(undefined)} />
    </>
  );
}

interface EmptyProps {
  search: RunsSearch;
  all: number | undefined;
  onClear: () => void;
}

/** Nothing yet, nothing of this kind, and nothing that matches are three different things. */
function Empty({ search, all, onClear }: EmptyProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const saved = useSavedViews();
  const newRun = (
    <Button
      renderRoot={(props) => <Link to="/runs/new" {...props} />}
      leftSection={<Icon name="plus" size={14} />}
    >
      {t('nav.new')}
    </Button>
  );
  if (search.bin && !hasFilters(search)) {
    return <EmptyState title={t('list.empty_bin')} body={t('list.empty_bin_body')} />;
  }
  const { tab } = tabOf(search, saved);
  if (tab === 'all' || all === 0) {
    return (
      <EmptyState title={t('list.empty_all')} body={t('list.empty_all_body')}>
        {newRun}
      </EmptyState>
    );
  }
  if (tab === 'active' || tab === 'failed' || tab === 'starred') {
    return (
      <EmptyState title={t(`list.empty_${tab}`)} body={t(`list.empty_${tab}_body`)}>
        {tab === 'active' && newRun}
      </EmptyState>
    );
  }
  return (
    <EmptyState
      title={t('list.empty_filter')}
      body={search.bin ? undefined : t('list.empty_filter_body', { count: all ?? 0, n: f.integer(all) })}
    >
      <Button variant="default" onClick={onClear}>
        {t('common.clear_filters')}
      </Button>
    </EmptyState>
  );
}
