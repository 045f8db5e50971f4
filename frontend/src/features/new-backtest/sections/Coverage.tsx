import { Button } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SymbolInfo } from '@/api';
import { type Axis, CoverageBar } from '@/components/CoverageBar';
import { useFormat } from '@/lib/use-format';
import { useForm } from '../form';
import { nearest } from '../model/symbols';
import classes from '../new-backtest.module.css';

const FIRST_ROWS = 6;
const ROW_HEIGHT = 24;
const MOST_HEIGHT = 264;

interface CoverageProps {
  axis: Axis;
  period: [from: string, to: string] | undefined;
}

/** What the source holds of every chosen symbol and of the benchmark, on the axis of the period. */
export function Coverage({ axis, period }: CoverageProps) {
  const { t } = useTranslation();
  const { draft, change, symbols } = useForm();
  const [all, setAll] = useState(false);
  const named = [...draft.symbols];
  const rows = all ? named : named.slice(0, FIRST_ROWS);
  const unknown = named.filter((symbol) => !symbols.has(symbol));
  const benchmark = draft.benchmark && !draft.symbols.includes(draft.benchmark) ? draft.benchmark : null;
  return (
    <div className={classes.coverage}>
      {all ? (
        <AllRows names={named} axis={axis} period={period} />
      ) : (
        rows.map((symbol) => <CoverageRow key={symbol} symbol={symbol} axis={axis} period={period} />)
      )}
      <div className="row wrap">
        {named.length > FIRST_ROWS && (
          <Button variant="subtle" size="compact-xs" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? t('new.show_fewer') : t('new.more_symbols', { n: named.length - FIRST_ROWS })}
          </Button>
        )}
        {unknown.length > 1 && unknown.length < named.length && (
          <Button
            variant="subtle"
            size="compact-xs"
            onClick={() => change({ symbols: named.filter((symbol) => symbols.has(symbol)) })}
          >
            {t('new.remove_unknown', { count: unknown.length })}
          </Button>
        )}
      </div>
      {benchmark && <CoverageRow symbol={benchmark} axis={axis} period={period} benchmark />}
    </div>
  );
}

function AllRows({ names, axis, period }: CoverageProps & { names: readonly string[] }) {
  const { t } = useTranslation();
  const viewport = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: names.length,
    getScrollElement: () => viewport.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 8,
  });
  return (
    <section
      ref={viewport}
      className={classes.scroller}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scroll area has to be reachable with the keyboard
      tabIndex={0}
      aria-label={t('new.coverage')}
      style={{ maxHeight: MOST_HEIGHT }}
    >
      <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {virtual.getVirtualItems().map((item) => (
          <div key={item.key} className={classes.placed} style={{ transform: `translateY(${item.start}px)` }}>
            <CoverageRow symbol={names[item.index] as string} axis={axis} period={period} />
          </div>
        ))}
      </div>
    </section>
  );
}

function CoverageRow({
  symbol,
  axis,
  period,
  benchmark,
}: CoverageProps & { symbol: string; benchmark?: boolean }) {
  const { t } = useTranslation();
  const f = useFormat();
  const { symbols } = useForm();
  const item = symbols.get(symbol);
  return (
    <div className={classes.coverageRow} data-benchmark={benchmark || undefined}>
      <span className="small truncate" title={benchmark ? t('new.benchmark') : undefined}>
        <span className={benchmark ? 'dim' : 'strong'}>{symbol}</span>
        {benchmark && <span className="visually-hidden"> ({t('new.benchmark')})</span>}
      </span>
      {item ? (
        <>
          <CoverageBar item={item} axis={axis} period={period} />
          <span className={`${classes.span} num tiny dim right`}>
            {f.isoDate(item.first)} – {f.isoDate(item.last)}
          </span>
        </>
      ) : (
        <Unknown symbol={symbol} symbols={symbols} benchmark={benchmark} />
      )}
    </div>
  );
}

interface UnknownProps {
  symbol: string;
  symbols: ReadonlyMap<string, SymbolInfo>;
  benchmark?: boolean;
}

function Unknown({ symbol, symbols, benchmark }: UnknownProps) {
  const { t } = useTranslation();
  const { draft, change } = useForm();
  const near = nearest(symbol, symbols.keys());
  const replace = (other: string) =>
    change(
      benchmark
        ? { benchmark: other }
        : { symbols: [...new Set(draft.symbols.map((one) => (one === symbol ? other : one)))] },
    );
  const remove = () =>
    change(benchmark ? { benchmark: null } : { symbols: draft.symbols.filter((one) => one !== symbol) });
  return (
    <span className={`${classes.unknown} small`}>
      {t('new.not_there')}{' '}
      {near && (
        <button type="button" className={classes.reset} onClick={() => replace(near)}>
          {t('new.use_instead', { name: near })}
        </button>
      )}{' '}
      <button type="button" className={classes.reset} onClick={remove}>
        {t('new.remove')}
      </button>
    </span>
  );
}
