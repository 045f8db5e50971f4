import { Button, Menu, Popover, TextInput } from '@mantine/core';
import { type ReactNode, type Ref, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type BacktestSort, useBacktestFacet } from '@/api';
import { Icon } from '@/components/icons';
import { useNames } from '@/lib/names';
import { COLUMNS } from './columns';
import { DatesPanel, useDatesText } from './DatesPanel';
import { FacetPanel } from './FacetPanel';
import { MetricsPanel, useMetricsText } from './MetricsPanel';
import classes from './runs.module.css';
import { DEFAULT_SORT, hasFilters, nextSort, type RunsSearch, STATUSES } from './search';

interface FilterBarProps {
  ref: Ref<HTMLInputElement>;
  search: RunsSearch;
  onChange: (part: RunsSearch) => void;
  onClear: () => void;
}

const TYPING_MS = 200;

/** Chips that show their value; a click on one opens what it can be. */
export function FilterBar({ ref, search, onChange, onClear }: FilterBarProps) {
  const { t } = useTranslation();
  const names = useNames();
  const dates = useDatesText(search);
  const metrics = useMetricsText(search);
  return (
    <div className={classes.filters}>
      <SearchBox ref={ref} value={search.q ?? ''} onChange={(q) => onChange({ q: q || undefined })} />
      <div className={classes.chips} role="group" aria-label={t('list.filters')}>
        <StatusChip search={search} onChange={onChange} />
        <FacetChip
          label={t('list.f_strategy')}
          facet="strategy_type"
          chosen={search.strategy ?? []}
          text={names.strategy}
          onChange={(strategy) => onChange({ strategy })}
        />
        <FacetChip
          label={t('list.f_symbol')}
          facet="symbols"
          chosen={search.symbol ?? []}
          hint={t('list.f_all_of_them')}
          onChange={(symbol) => onChange({ symbol })}
        />
        <FacetChip
          label={t('list.f_tag')}
          facet="tags"
          chosen={search.tag ?? []}
          hint={t('list.f_all_of_them')}
          onChange={(tag) => onChange({ tag })}
        />
        <Chip label={t('list.f_created')} value={dates} onRemove={() => onChange(NO_DATES)}>
          <DatesPanel search={search} onChange={onChange} />
        </Chip>
        <Chip label={t('list.f_metrics')} value={metrics} onRemove={() => onChange(NO_METRICS)} width={300}>
          <MetricsPanel search={search} onChange={onChange} />
        </Chip>
        {!search.bin && (
          <button
            type="button"
            className={classes.chip}
            data-on={search.starred || undefined}
            aria-pressed={search.starred === true}
            onClick={() => onChange({ starred: search.starred ? undefined : true })}
          >
            <Icon name="star" size={12} fill={search.starred ? 'currentColor' : 'none'} />
            {t('list.view_starred')}
          </button>
        )}
        <PhoneSort sort={search.sort ?? DEFAULT_SORT} onSort={(sort) => onChange({ sort })} />
        {hasFilters(search) && (
          <Button variant="subtle" size="compact-xs" onClick={onClear}>
            {t('common.clear_filters')}
          </Button>
        )}
      </div>
    </div>
  );
}

const NO_DATES = { since: undefined, from: undefined, to: undefined };
const NO_METRICS = {
  min_return: undefined,
  max_return: undefined,
  min_cagr: undefined,
  max_cagr: undefined,
  min_sharpe: undefined,
  max_sharpe: undefined,
  max_dd: undefined,
  min_trades: undefined,
  max_trades: undefined,
};

interface SearchBoxProps {
  ref: Ref<HTMLInputElement>;
  value: string;
  onChange: (value: string) => void;
}

/** Is followed by the address when the typing pauses, and follows it when something else changes it. */
function SearchBox({ ref, value, onChange }: SearchBoxProps) {
  const { t } = useTranslation();
  const [shown, setShown] = useState(value);
  const told = useRef(value);
  useEffect(() => {
    if (value === told.current) return;
    told.current = value;
    setShown(value);
  }, [value]);
  const tell = (text: string) => {
    if (text === told.current) return;
    told.current = text;
    onChange(text);
  };
  const latest = useRef(tell);
  useEffect(() => {
    latest.current = tell;
  });
  useEffect(() => {
    const timer = setTimeout(() => latest.current(shown.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [shown]);
  return (
    <TextInput
      ref={ref}
      type="search"
      className={classes.search}
      leftSection={<Icon name="search" size={14} />}
      rightSection={shown ? undefined : <kbd>/</kbd>}
      placeholder={t('list.search')}
      aria-label={t('list.search')}
      aria-keyshortcuts="/"
      maxLength={200}
      value={shown}
      onChange={(event) => setShown(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === 'Escape') {
          if (shown) setShown('');
          else event.currentTarget.blur();
          event.preventDefault();
        } else if (event.key === 'Enter') {
          tell(shown.trim());
          event.currentTarget.blur();
        }
      }}
    />
  );
}

interface ChipProps {
  label: string;
  value: string | null;
  onRemove: () => void;
  width?: number;
  children: ReactNode;
  onOpened?: () => void;
}

export function Chip({ label, value, onRemove, width, children, onOpened }: ChipProps) {
  const { t } = useTranslation();
  return (
    <span className={classes.chipGroup}>
      <Popover position="bottom-start" width={width} trapFocus returnFocus onOpen={onOpened}>
        <Popover.Target>
          <button type="button" className={classes.chip} data-on={value !== null || undefined}>
            {label}
            {value !== null && <b className="truncate">{value}</b>}
            {value === null && <Icon name="down" size={12} />}
          </button>
        </Popover.Target>
        <Popover.Dropdown p={12} data-list-popover>
          {children}
        </Popover.Dropdown>
      </Popover>
      {value !== null && (
        <button
          type="button"
          className={classes.chipRemove}
          aria-label={t('list.f_remove', { name: label })}
          onClick={onRemove}
        >
          <Icon name="close" size={12} />
        </button>
      )}
    </span>
  );
}

/** "AAPL", or "AAPL +2". */
export const firstAndMore = (values: readonly string[]): string | null =>
  values.length === 0 ? null : `${values[0]}${values.length > 1 ? ` +${values.length - 1}` : ''}`;

function StatusChip({ search, onChange }: Pick<FilterBarProps, 'search' | 'onChange'>) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState(false);
  const counts = useBacktestFacet('status', opened && !search.bin).data;
  const chosen = search.status ?? [];
  return (
    <Chip
      label={t('list.f_status')}
      value={firstAndMore(chosen.map((status) => t(`status.${status}`)))}
      onRemove={() => onChange({ status: undefined })}
      onOpened={() => setOpened(true)}
    >
      <FacetPanel
        options={STATUSES.map((value) => ({
          value,
          label: t(`status.${value}`),
          count: search.bin ? undefined : (counts?.find((item) => item.value === value)?.count ?? 0),
        }))}
        chosen={chosen}
        onChange={(values) => onChange({ status: values as RunsSearch['status'] })}
      />
    </Chip>
  );
}

interface FacetChipProps {
  label: string;
  facet: 'strategy_type' | 'symbols' | 'tags';
  chosen: readonly string[];
  text?: (value: string) => string;
  hint?: string;
  onChange: (chosen: string[]) => void;
}

function FacetChip({ label, facet, chosen, text = (value) => value, hint, onChange }: FacetChipProps) {
  const [opened, setOpened] = useState(false);
  const found = useBacktestFacet(facet, opened);
  const values = found.data ?? [];
  const missing = chosen.filter((value) => !values.some((item) => item.value === value));
  return (
    <Chip
      label={label}
      value={firstAndMore(chosen.map(text))}
      onRemove={() => onChange([])}
      onOpened={() => setOpened(true)}
    >
      <FacetPanel
        options={[
          ...missing.map((value) => ({ value, label: text(value), count: undefined })),
          ...values.map(({ value, count }) => ({ value, label: text(value), count })),
        ]}
        loading={found.isPending}
        hint={hint}
        chosen={chosen}
        onChange={onChange}
      />
    </Chip>
  );
}

/** On a phone there is no head of the table to sort by. */
function PhoneSort({ sort, onSort }: { sort: BacktestSort; onSort: (sort: BacktestSort) => void }) {
  const { t } = useTranslation();
  const key = sort.replace('-', '');
  const column = COLUMNS.find((item) => item.sort === key);
  return (
    <Menu position="bottom-start" withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <button type="button" className={`${classes.chip} ${classes.phoneOnly}`}>
          {t('list.sort')}
          <b>{column && t(column.label)}</b>
          <Icon name={sort.startsWith('-') ? 'sort_down' : 'sort_up'} size={12} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {COLUMNS.map(
          (item) =>
            item.sort && (
              <Menu.Item
                key={item.key}
                className={classes.sortItem}
                data-autofocus={item.sort === key || undefined}
                onClick={() => onSort(nextSort(sort, item.sort as NonNullable<typeof item.sort>))}
                rightSection={
                  item.sort === key && (
                    <Icon name={sort.startsWith('-') ? 'sort_down' : 'sort_up'} size={12} />
                  )
                }
              >
                {t(item.label)}
              </Menu.Item>
            ),
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
