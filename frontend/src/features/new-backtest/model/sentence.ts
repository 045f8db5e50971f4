/** What will happen, in words: the sentences of the summary, in the order in which they are read. */
import type { TFunction } from 'i18next';
import type { Strategy } from '@/api';
import type { Formatter } from '@/lib/format';
import type { Names } from '@/lib/names';
import { BPS, PERCENT, unscaled } from './costs';
import { API_DEFAULTS, type Draft, RULES } from './draft';
import type { Period } from './period';

export interface Sentence {
  key: string;
  /** Set apart at the beginning: the strategy's name. */
  strong?: string;
  text: string;
  /** A rule, as it is written. */
  code?: boolean;
}

export interface Telling {
  t: TFunction;
  f: Formatter;
  names: Names;
  hint: string;
  strategy: Strategy | undefined;
  form: Strategy['form'];
  /** The days that are sent, and those that the data have. */
  period: Period;
  range: { first: string; last: string } | null;
}

const NAMED = 4;
const MOST_PARAMETERS = 8;

export function sentences(draft: Draft, telling: Telling): Sentence[] {
  const { t } = telling;
  const list: (Sentence | null)[] = [
    ...strategyWords(draft, telling),
    { key: 'universe', text: universe(draft, telling) },
    { key: 'fill', text: t(`new.fill_hint_${draft.execution.fill}`) },
    direction(draft, telling),
    size(draft, telling),
    prices(draft, telling),
    stops(draft, telling),
    {
      key: 'money',
      text: t('new.words_capital', {
        capital: telling.f.money(draft.initial_capital ?? API_DEFAULTS.initial_capital),
      }),
    },
    { key: 'costs', text: costs(draft, telling) },
    draft.benchmark
      ? { key: 'benchmark', text: t('new.words_benchmark', { benchmark: draft.benchmark }) }
      : null,
  ];
  return list.filter((one) => one !== null);
}

/** `null` is left out; the rest is joined as a list is written. */
const joined = (parts: readonly (string | null)[]): string => parts.filter(Boolean).join(', ');

function strategyWords(draft: Draft, { names, strategy, hint }: Telling): Sentence[] {
  const name = names.strategy(draft.strategy_type);
  if (draft.strategy_type === RULES) {
    const texts = ['rank', 'entry', 'exit', 'short_entry', 'short_exit'].flatMap((part) => {
      const text = draft.parameters[part];
      return typeof text === 'string' && text
        ? [{ key: part, strong: names.parameter(part), text, code: true }]
        : [];
    });
    return [{ key: 'strategy', strong: name, text: '.' }, ...texts];
  }
  const all: Record<string, unknown> = { ...strategy?.defaults, ...draft.parameters };
  const told = Object.entries(all)
    .filter(([, value]) => typeof value === 'number' || typeof value === 'string')
    .slice(0, MOST_PARAMETERS)
    .map(
      ([part, value]) =>
        `${names.parameter(part)} ${typeof value === 'string' ? names.choice(value) : value}`,
    );
  return [{ key: 'strategy', strong: name, text: `${told.length ? ` (${told.join(', ')})` : ''}. ${hint}.` }];
}

function universe(draft: Draft, { t, f, period, range }: Telling): string {
  const shown = draft.symbols.slice(0, NAMED).join(', ');
  const more = draft.symbols.length - NAMED;
  const symbols =
    draft.symbols.length === 0
      ? t('new.words_nothing')
      : more > 0
        ? shown + t('new.and_more', { n: more })
        : shown;
  const from = period.start ?? range?.first;
  const to = period.end ?? range?.last;
  const bars = t(`new.bars_${draft.timeframe}`);
  if (!from || !to) return t('new.words_universe_whole', { symbols, bars });
  return t('new.words_universe', { symbols, bars, from: f.date(from), to: f.date(to) });
}

function direction(draft: Draft, { t }: Telling): Sentence | null {
  const way = draft.execution.direction;
  return way === 'long_only' ? null : { key: 'direction', text: t(`new.words_${way}`) };
}

function size(draft: Draft, { t, f, form }: Telling): Sentence | null {
  const { sizing, max_leverage, fractional_shares } = draft.execution;
  const leverage = max_leverage ?? 1;
  const entry =
    form === 'weights' || form === 'events'
      ? null
      : sizing.value === null
        ? draft.symbols.length > 1
          ? t('new.words_size_equal', { n: draft.symbols.length })
          : null
        : sizing.type === 'percent_equity'
          ? t('new.words_size_percent', { value: percent(sizing.value) })
          : sizing.type === 'fixed_cash'
            ? t('new.words_size_cash', { value: f.money(sizing.value) })
            : t('new.words_size_shares', { value: sizing.value });
  const text = [
    entry,
    leverage === 1 ? null : t('new.words_leverage', { value: leverage }),
    fractional_shares ? null : t('new.words_whole_shares'),
  ]
    .filter(Boolean)
    .join(' ');
  return text ? { key: 'size', text } : null;
}

function prices(draft: Draft, { t }: Telling): Sentence | null {
  const { price_mode, dividends } = draft.execution;
  if (price_mode === 'adjusted') return null;
  return { key: 'prices', text: t(dividends === 'reinvest' ? 'new.words_raw_reinvest' : 'new.words_raw') };
}

const percent = (fraction: number): number => unscaled(fraction, PERCENT);

function stops(draft: Draft, { t }: Telling): Sentence | null {
  const { stop_loss, take_profit, trailing_stop } = draft.risk;
  const levels = joined([
    stop_loss === null ? null : t('new.words_stop_loss', { value: percent(stop_loss) }),
    trailing_stop === null ? null : t('new.words_trailing', { value: percent(trailing_stop) }),
    take_profit === null ? null : t('new.words_target', { value: percent(take_profit) }),
  ]);
  return levels ? { key: 'stops', text: t('new.words_stops', { levels }) } : null;
}

function costs(draft: Draft, { t }: Telling): string {
  const {
    commission_rate,
    slippage_bps,
    commission_per_share,
    commission_fixed,
    commission_min,
    borrow_rate,
  } = draft.costs;
  const parts = joined([
    commission_rate ? t('new.words_commission', { value: unscaled(commission_rate, BPS) }) : null,
    commission_per_share ? t('new.words_per_share', { value: commission_per_share }) : null,
    commission_fixed ? t('new.words_fixed', { value: commission_fixed }) : null,
    commission_min ? t('new.words_min', { value: commission_min }) : null,
    slippage_bps ? t('new.words_slippage', { value: slippage_bps }) : null,
  ]);
  const borrow =
    borrow_rate && draft.execution.direction !== 'long_only'
      ? ` ${t('new.words_borrow', { value: percent(borrow_rate) })}`
      : '';
  return (parts ? t('new.words_costs', { parts }) : t('new.words_no_costs')) + borrow;
}
