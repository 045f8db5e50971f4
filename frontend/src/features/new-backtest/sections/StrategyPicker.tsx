import { Button, TextInput } from '@mantine/core';
import { type KeyboardEvent, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schema, Strategy } from '@/api';
import { Icon } from '@/components/icons';
import { Notice } from '@/components/Notice';
import { useNames } from '@/lib/names';
import { useFieldError } from '../form';
import { RULES } from '../model/draft';
import { kindsOf, searched } from '../model/strategies';
import classes from '../new-backtest.module.css';
import { StrategyFacts } from './StrategyFacts';
import { sketchOf } from './sketches';

/** As many as fit before the parameters leave the screen; the rest is one click away. */
const FIRST = 9;

interface StrategyPickerProps {
  strategies: readonly Strategy[];
  refused: readonly Schema<'RefusedPluginOut'>[];
  value: string;
  onChange: (strategy: Strategy) => void;
}

export function StrategyPicker({ strategies, refused, value, onChange }: StrategyPickerProps) {
  const { t } = useTranslation();
  const names = useNames();
  const hint = useHint();
  const error = useFieldError('/strategy_type');
  const [query, setQuery] = useState('');
  const [kind, setKind] = useState<string | null>(null);
  const [all, setAll] = useState(false);
  const kinds = useMemo(() => kindsOf(strategies), [strategies]);
  const found = searched(strategies, query, kind, (one) => `${names.strategy(one.name)} ${hint(one)}`);
  const current = strategies.find((one) => one.name === value);
  const whole = all || query !== '' || kind !== null || found.length <= FIRST + 1;
  const shown = whole ? found : firstOf(found, current);
  const count = (name: string) => strategies.filter((one) => one.kind === name).length;
  return (
    <div className={classes.picker}>
      <div className={classes.filters}>
        <TextInput
          className={classes.search}
          aria-label={t('new.search_strategies')}
          placeholder={t('new.search_strategies')}
          leftSection={<Icon name="search" size={14} />}
          value={query}
          onChange={(event) => setQuery(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Escape' && setQuery('')}
        />
        {/* biome-ignore lint/a11y/useSemanticElements: a row of filters, not a form's fieldset */}
        <div className={classes.kinds} role="group" aria-label={t('new.kinds')}>
          <Chip on={kind === null} onClick={() => setKind(null)} n={strategies.length}>
            {t('new.kind_all')}
          </Chip>
          {kinds.map((name) => (
            <Chip
              key={name}
              on={kind === name}
              onClick={() => setKind(kind === name ? null : name)}
              n={count(name)}
            >
              <KindName kind={name} />
            </Chip>
          ))}
        </div>
      </div>
      <Cards strategies={shown} value={value} onChange={onChange} />
      {found.length === 0 && <p className="small dim">{t('new.no_strategy', { q: query })}</p>}
      {!whole && (
        <Button variant="subtle" size="compact-xs" className={classes.add} onClick={() => setAll(true)}>
          {t('new.show_all', { n: strategies.length })}
        </Button>
      )}
      {error && (
        <p role="alert" className={classes.error} data-pointer="/strategy_type" tabIndex={-1}>
          {error}
        </p>
      )}
      {current && <StrategyFacts strategy={current} />}
      {refused.map((plugin) => (
        <Notice
          key={plugin.distribution + plugin.entry}
          tone="warn"
          title={t('new.plugin_refused', { name: plugin.entry.split('=')[0]?.trim() })}
        >
          {plugin.distribution} {plugin.version}: {plugin.reason}
        </Notice>
      ))}
    </div>
  );
}

/** One of every kind, the chosen one among them, and the card of one's own rules at the end. */
function firstOf(found: readonly Strategy[], current: Strategy | undefined): Strategy[] {
  const rules = found.filter((one) => one.name === RULES);
  const others = found.filter((one) => one.name !== RULES);
  const first = kindsOf(others)
    .flatMap((kind) => others.find((one) => one.kind === kind) ?? [])
    .slice(0, FIRST);
  if (current && current.name !== RULES && !first.includes(current)) first.splice(-1, 1, current);
  return [...first, ...rules];
}

function Chip(props: { on: boolean; n: number; onClick: () => void; children: React.ReactNode }) {
  return (
    <button type="button" className={classes.chip} aria-pressed={props.on} onClick={props.onClick}>
      {props.children} <span className="num dim">{props.n}</span>
    </button>
  );
}

export function KindName({ kind }: { kind: string }) {
  const { t, i18n } = useTranslation();
  const key = `new.kind_${kind}`;
  return i18n.exists(key) ? t(key as 'new.kind_trend') : kind;
}

/** A few words on a strategy: the dictionary's, else its own summary. */
export function useHint(): (strategy: Pick<Strategy, 'name' | 'summary'>) => string {
  const { t, i18n } = useTranslation();
  return ({ name, summary }) => {
    const key = `strategy_hint.${name}`;
    return i18n.exists(key) ? t(key as 'strategy_hint.macd') : summary.replace(/\.$/, '');
  };
}

function Cards({
  strategies,
  value,
  onChange,
}: Pick<StrategyPickerProps, 'strategies' | 'value' | 'onChange'>) {
  const { t } = useTranslation();
  const names = useNames();
  const hint = useHint();
  const group = useRef<HTMLDivElement>(null);
  // one stop for the Tab key, arrows inside, as radio buttons have it
  const stop = strategies.some((one) => one.name === value) ? value : strategies[0]?.name;
  const move = (event: KeyboardEvent, index: number) => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = strategies[(index + step + strategies.length) % strategies.length];
    if (!next) return;
    onChange(next);
    group.current?.querySelector<HTMLElement>(`[data-name="${next.name}"]`)?.focus();
  };
  return (
    <div ref={group} className={classes.cards} role="radiogroup" aria-label={t('new.s_strategy')}>
      {strategies.map((strategy, index) => {
        const [price, rule, dot] = sketchOf(strategy.name, strategy.kind);
        return (
          // biome-ignore lint/a11y/useSemanticElements: a card with a picture, not a form radio
          <button
            key={strategy.name}
            type="button"
            role="radio"
            data-name={strategy.name}
            aria-checked={strategy.name === value}
            tabIndex={strategy.name === stop ? 0 : -1}
            className={classes.card}
            data-wide={strategy.name === RULES || undefined}
            onClick={() => onChange(strategy)}
            onKeyDown={(event) => move(event, index)}
          >
            <b>{names.strategy(strategy.name)}</b>
            <svg
              className={classes.glyph}
              width="40"
              height="16"
              viewBox="0 0 52 20"
              fill="none"
              aria-hidden="true"
            >
              <path d={price} stroke="var(--line-strong)" strokeWidth="1.4" strokeLinejoin="round" />
              <path
                d={rule}
                stroke="currentColor"
                strokeWidth="1.5"
                strokeLinecap="round"
                strokeLinejoin="round"
              />
              {dot && <circle cx={dot[0]} cy={dot[1]} r="2.4" fill="currentColor" />}
            </svg>
            <small>{hint(strategy)}</small>
          </button>
        );
      })}
    </div>
  );
}

const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
