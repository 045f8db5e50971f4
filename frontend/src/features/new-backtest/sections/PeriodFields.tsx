import { Button, RangeSlider, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Axis } from '@/components/CoverageBar';
import { Notice } from '@/components/Notice';
import { useFormat } from '@/lib/use-format';
import { useFieldError, useForm } from '../form';
import {
  anyRange,
  type Clamp,
  commonRange,
  dayNumber,
  dayText,
  isDay,
  type Outside,
  type Period,
  partial,
  type Span,
  yearsBefore,
} from '../model/period';
import classes from '../new-backtest.module.css';

const DAY_MS = 86_400_000;
const MOST_MARKS = 8;
const NAMED = 3;

interface PeriodFieldsProps {
  axis: Axis;
  spans: readonly Span[];
  period: Period;
  clamps: readonly Clamp[];
  outside: readonly Outside[];
}

export function PeriodFields({ axis, spans, period, clamps, outside }: PeriodFieldsProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const { change } = useForm();
  const range = anyRange(spans);
  const common = commonRange(spans);
  const start = period.start ?? range?.first ?? '';
  const end = period.end ?? range?.last ?? '';
  const set = (from: string | null, to: string | null) => change({ start_date: from, end_date: to });
  const wrong = (edge: Outside['edge']) => {
    const found = outside.find((one) => one.edge === edge);
    return found && t(`new.outside_${found.side}`, { day: f.date(found.day) });
  };
  const outer = (day: string, limit: string | undefined) => (day === limit ? null : day);
  const crisis = range && range.first <= '2008-01-01' && range.last >= '2009-06-30';
  return (
    <>
      {range && (
        <div className={classes.slider}>
          <RangeSlider
            size={4}
            label={null}
            thumbSize={16}
            thumbFromLabel={t('new.from')}
            thumbToLabel={t('new.to')}
            min={axis.from / DAY_MS}
            max={axis.to / DAY_MS}
            minRange={1}
            value={[inside(start, range), inside(end, range)]}
            onChange={([from, to]) => {
              const low = dayText(Math.max(from, dayNumber(range.first)));
              const high = dayText(Math.min(to, dayNumber(range.last)));
              if (low <= high) set(outer(low, range.first), outer(high, range.last));
            }}
            marks={marksOf(axis)}
            styles={{ markLabel: { fontSize: 11, color: 'var(--text-3)' }, mark: { display: 'none' } }}
          />
        </div>
      )}
      <div className={classes.dates}>
        <DayField
          pointer="/start_date"
          label={t('new.from')}
          value={start}
          outside={wrong('start')}
          onChange={(day) => change({ start_date: day && outer(day, range?.first) })}
        />
        <DayField
          pointer="/end_date"
          label={t('new.to')}
          value={end}
          outside={wrong('end')}
          onChange={(day) => change({ end_date: day && outer(day, range?.last) })}
        />
        <div className="row wrap">
          <Button
            variant="default"
            aria-pressed={!period.start && !period.end}
            onClick={() => set(null, null)}
          >
            {t('new.preset_all')}
          </Button>
          {range && yearsBefore(range.last, 5) > range.first && (
            <Button variant="default" onClick={() => set(yearsBefore(range.last, 5), null)}>
              {t('new.preset_5y')}
            </Button>
          )}
          {crisis && (
            <Button variant="default" onClick={() => set('2007-01-03', '2009-12-31')}>
              {t('new.preset_crisis')}
            </Button>
          )}
        </div>
      </div>
      <div className={classes.reasons} aria-live="polite">
        {clamps.map((clamp) => (
          <ClampNotice key={clamp.edge} clamp={clamp} />
        ))}
        {outside.length === 0 && (
          <PartialNotice
            period={period}
            spans={spans}
            onCommon={
              common
                ? () => set(outer(common.first, range?.first), outer(common.last, range?.last))
                : undefined
            }
          />
        )}
      </div>
    </>
  );
}

/** Where a thumb stands for a day that may lie outside the data. */
const inside = (day: string, { first, last }: { first: string; last: string }) =>
  dayNumber(day < first ? first : day > last ? last : day);

function ClampNotice({ clamp }: { clamp: Clamp }) {
  const { t } = useTranslation();
  const f = useFormat();
  const begins = clamp.day > clamp.wanted;
  return (
    <Notice>
      {t(begins ? 'new.clamped_start' : 'new.clamped_end', {
        symbol: clamp.symbol,
        day: f.date(clamp.day),
        wanted: f.isoDate(clamp.wanted),
      })}
    </Notice>
  );
}

/** Symbols that are there for a part of the period only: allowed, and to be known. */
function PartialNotice({
  period,
  spans,
  onCommon,
}: Pick<PeriodFieldsProps, 'period' | 'spans'> & { onCommon?: () => void }) {
  const { t } = useTranslation();
  const f = useFormat();
  const { late, early } = partial(period, spans);
  if (late.length + early.length === 0) return null;
  const named = (items: readonly Span[], day: (item: Span) => string) =>
    items
      .slice(0, NAMED)
      .map((item) => `${item.symbol} (${f.date(day(item))})`)
      .join(', ') + (items.length > NAMED ? t('new.and_more', { n: items.length - NAMED }) : '');
  return (
    <Notice>
      {late.length > 0 && t('new.late', { symbols: named(late, (item) => item.first) })}{' '}
      {early.length > 0 && t('new.early', { symbols: named(early, (item) => item.last) })}
      {onCommon && (
        <span className={classes.noticeActions}>
          <Button variant="default" size="compact-xs" onClick={onCommon}>
            {t('new.use_common')}
          </Button>
        </span>
      )}
    </Notice>
  );
}

interface DayFieldProps {
  pointer: string;
  label: string;
  value: string;
  /** That no chosen symbol has data from then on, or until then. */
  outside?: string;
  onChange: (day: string | null) => void;
}

/** What is typed passes through days that nobody means (year 0002): it counts once it is a day. */
function DayField({ pointer, label, value, outside, onChange }: DayFieldProps) {
  const error = useFieldError(pointer);
  const [typed, setTyped] = useState<string | null>(null);
  const take = (text: string) => {
    setTyped(isDay(text) ? null : text);
    if (isDay(text)) onChange(text);
  };
  const leave = () => {
    if (typed === '') onChange(null);
    setTyped(null);
  };
  return (
    <TextInput
      type="date"
      data-pointer={pointer}
      className={classes.day}
      label={label}
      value={typed ?? value}
      error={outside ?? error}
      onChange={(event) => take(event.currentTarget.value)}
      onBlur={leave}
    />
  );
}

function marksOf(axis: Axis): { value: number; label: string }[] {
  const [first, last] = [new Date(axis.from).getUTCFullYear(), new Date(axis.to).getUTCFullYear()];
  const step = Math.max(1, Math.ceil((last - first) / (MOST_MARKS - 1)));
  const years = Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step);
  return years.map((year) => ({ value: Date.UTC(year, 0) / DAY_MS, label: String(year) }));
}
