import { Button, Combobox, Input, Pill, PillsInput, useVirtualizedCombobox } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ClipboardEvent, type KeyboardEvent, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SymbolInfo } from '@/api';
import { type Axis, CoverageBar } from '@/components/CoverageBar';
import { Icon } from '@/components/icons';
import { useFormat } from '@/lib/use-format';
import { useFieldError, useForm } from '../form';
import { isList, isSymbol, MOST_SYMBOLS, matching, symbolsIn } from '../model/symbols';
import classes from '../new-backtest.module.css';

const ROW_HEIGHT = 30;
const SHOWN_PILLS = 40;
const SHOWN_ROWS = 9;
const optionId = (index: number) => `symbol-option-${index}`;

/** One row of the list: a symbol of the source, or what was typed and the source does not have. */
type Row = { known: true; info: SymbolInfo } | { known: false; symbol: string };

/** Symbols by typing, clicking or pasting a list. Only visible rows exist, so that thousands are as quick as six. */
export function SymbolPicker({ axis, loading }: { axis: Axis; loading: boolean }) {
  const { t } = useTranslation();
  const { draft, change, symbols } = useForm();
  const error = useFieldError('/symbols');
  const [query, setQuery] = useState('');
  const [active, setActive] = useState(-1);
  const [opened, setOpened] = useState(false);
  const known = useMemo(() => [...symbols.values()], [symbols]);
  const rows = useMemo<Row[]>(() => rowsFor(known, symbols, query), [known, symbols, query]);
  const chosen = useMemo(() => new Set(draft.symbols), [draft.symbols]);

  const set = (next: string[]) => change({ symbols: next.slice(0, MOST_SYMBOLS) });
  const toggle = (symbol: string) =>
    set(chosen.has(symbol) ? draft.symbols.filter((one) => one !== symbol) : [...draft.symbols, symbol]);
  const add = (list: readonly string[]) => set([...new Set([...draft.symbols, ...list])]);
  const choose = (row: Row | undefined) => {
    if (!row) return;
    toggle(row.known ? row.info.symbol : row.symbol);
    search('');
  };
  const search = (text: string) => {
    setQuery(text);
    setActive(text ? 0 : -1);
  };
  const combobox = useVirtualizedCombobox({
    opened,
    onOpenedChange: setOpened,
    totalOptionsCount: rows.length,
    getOptionId: optionId,
    selectedOptionIndex: active,
    activeOptionIndex: 0,
    setSelectedOptionIndex: setActive,
    onSelectedOptionSubmit: (index) => choose(rows[index]),
  });
  const paste = (event: ClipboardEvent) => {
    const text = event.clipboardData.getData('text');
    if (!isList(text)) return;
    event.preventDefault();
    add(symbolsIn(text, chosenKeys(symbols)));
  };
  const keys = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === 'Backspace' && query === '') set(draft.symbols.slice(0, -1));
    if ((event.key === ',' || event.key === ' ') && query.trim() !== '') {
      event.preventDefault();
      add(symbolsIn(query, chosenKeys(symbols)));
      search('');
    }
  };
  const addable = query
    ? rows.flatMap((row) => (row.known && !chosen.has(row.info.symbol) ? row.info.symbol : []))
    : [];
  return (
    <Combobox
      store={combobox}
      onOptionSubmit={(value) => choose(rows[Number(value)])}
      resetSelectionOnOptionHover={false}
      withinPortal={false}
    >
      <Combobox.DropdownTarget>
        <PillsInput
          data-pointer="/symbols"
          size="xs"
          label={t('new.symbols')}
          description={t('new.symbols_hint')}
          inputWrapperOrder={['label', 'input', 'error', 'description']}
          error={error}
          onClick={() => combobox.openDropdown()}
          rightSection={
            draft.symbols.length > 0 && (
              <Input.ClearButton size="xs" aria-label={t('new.clear_symbols')} onClick={() => set([])} />
            )
          }
          rightSectionPointerEvents="all"
        >
          <Pill.Group className={classes.pills}>
            {draft.symbols.slice(0, SHOWN_PILLS).map((symbol) => (
              <Pill
                key={symbol}
                withRemoveButton
                removeButtonProps={{
                  'aria-label': t('new.remove_item', { name: symbol }),
                  'aria-hidden': false,
                  tabIndex: 0,
                }}
                onRemove={() => toggle(symbol)}
                data-unknown={(!loading && !symbols.has(symbol)) || undefined}
                className={classes.pill}
              >
                {symbol}
              </Pill>
            ))}
            {draft.symbols.length > SHOWN_PILLS && (
              <span className="tiny dim num">+{draft.symbols.length - SHOWN_PILLS}</span>
            )}
            <Combobox.EventsTarget>
              <PillsInput.Field
                value={query}
                aria-label={t('new.symbols')}
                placeholder={draft.symbols.length ? undefined : t('new.symbols_placeholder')}
                onFocus={() => combobox.openDropdown()}
                onBlur={() => combobox.closeDropdown()}
                onChange={(event) => {
                  search(event.currentTarget.value);
                  combobox.openDropdown();
                }}
                onPaste={paste}
                onKeyDown={keys}
                spellCheck={false}
                autoCapitalize="characters"
              />
            </Combobox.EventsTarget>
          </Pill.Group>
        </PillsInput>
      </Combobox.DropdownTarget>
      <Combobox.Dropdown>
        {rows.length === 0 ? (
          <Combobox.Empty>{loading ? t('new.loading') : t('new.no_symbol', { q: query })}</Combobox.Empty>
        ) : (
          opened && <Rows rows={rows} chosen={chosen} active={active} axis={axis} />
        )}
        <div className={classes.listFoot}>
          <span className="tiny dim num">
            {t('new.symbols_chosen', { count: draft.symbols.length, total: known.length })}
          </span>
          {addable.length > 1 && (
            <Button
              variant="subtle"
              size="compact-xs"
              tabIndex={-1}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => {
                add(addable);
                search('');
              }}
            >
              {t('new.add_all', { n: Math.min(addable.length, MOST_SYMBOLS - draft.symbols.length) })}
            </Button>
          )}
        </div>
      </Combobox.Dropdown>
    </Combobox>
  );
}

const chosenKeys = (symbols: ReadonlyMap<string, SymbolInfo>): ReadonlySet<string> => new Set(symbols.keys());

function rowsFor(known: readonly SymbolInfo[], names: ReadonlyMap<string, SymbolInfo>, query: string): Row[] {
  const rows: Row[] = matching(known, query).map((info) => ({ known: true, info }));
  const typed = query.trim();
  const there = names.has(typed) || names.has(typed.toUpperCase());
  return typed && !there && isSymbol(typed) ? [...rows, { known: false, symbol: typed }] : rows;
}

function Rows({
  rows,
  chosen,
  active,
  axis,
}: {
  rows: Row[];
  chosen: ReadonlySet<string>;
  active: number;
  axis: Axis;
}) {
  const { t } = useTranslation();
  const f = useFormat();
  const viewport = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => viewport.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 6,
  });
  const seen = useRef(active);
  if (seen.current !== active && active >= 0) {
    seen.current = active;
    queueMicrotask(() => virtual.scrollToIndex(active, { align: 'auto' }));
  }
  return (
    <div ref={viewport} className={classes.list} style={{ maxHeight: ROW_HEIGHT * SHOWN_ROWS }}>
      <Combobox.Options
        aria-label={t('new.symbols')}
        style={{ height: virtual.getTotalSize(), position: 'relative' }}
      >
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index] as Row;
          const symbol = row.known ? row.info.symbol : row.symbol;
          return (
            <Combobox.Option
              key={item.key}
              id={optionId(item.index)}
              value={String(item.index)}
              selected={item.index === active}
              aria-selected={chosen.has(symbol)}
              aria-setsize={rows.length}
              aria-posinset={item.index + 1}
              className={classes.option}
              style={{ height: ROW_HEIGHT, transform: `translateY(${item.start}px)` }}
            >
              <span className={classes.tick}>{chosen.has(symbol) && <Icon name="check" size={14} />}</span>
              {row.known ? (
                <>
                  <span className="strong truncate">{symbol}</span>
                  <CoverageBar item={row.info} axis={axis} />
                  <span className={`${classes.span} num tiny dim right`}>
                    {f.isoDate(row.info.first)} – {f.isoDate(row.info.last)}
                  </span>
                </>
              ) : (
                <span className={`${classes.typed} dim`}>{t('new.add_unknown', { symbol })}</span>
              )}
            </Combobox.Option>
          );
        })}
      </Combobox.Options>
    </div>
  );
}
