import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useSources } from '@/api';
import { axisOf } from '@/components/CoverageBar';
import { ChoiceField } from '../fields/ChoiceField';
import { useForm } from '../form';
import { type Timeframe, timeframesOf } from '../model/draft';
import { anyRange, type Clamp, type Outside, type Period } from '../model/period';
import classes from '../new-backtest.module.css';
import { Coverage } from './Coverage';
import { PeriodFields } from './PeriodFields';
import { SymbolPicker } from './SymbolPicker';

interface UniverseFieldsProps {
  /** The days that are sent, and why they are not the wanted ones. */
  period: Period;
  clamps: readonly Clamp[];
  outside: readonly Outside[];
  loading: boolean;
}

/** Slider, dates and coverage share one time axis, so that a clamp explains itself. */
export function UniverseFields({ period, clamps, outside, loading }: UniverseFieldsProps) {
  const { draft, symbols } = useForm();
  const spans = useMemo(
    () => draft.symbols.flatMap((symbol) => symbols.get(symbol) ?? []),
    [draft.symbols, symbols],
  );
  const benchmark = draft.benchmark ? symbols.get(draft.benchmark) : undefined;
  const axis = useMemo(
    () => axisOf(spans.length ? [...spans, ...(benchmark ? [benchmark] : [])] : [...symbols.values()]),
    [spans, benchmark, symbols],
  );
  const range = anyRange(spans);
  return (
    <>
      <SourceFields />
      <SymbolPicker axis={axis} loading={loading} />
      {draft.symbols.length > 0 && !loading && (
        <Coverage
          axis={axis}
          period={range ? [period.start ?? range.first, period.end ?? range.last] : undefined}
        />
      )}
      <PeriodFields axis={axis} spans={spans} period={period} clamps={clamps} outside={outside} />
      {range && (
        <p className={`${classes.note} tiny dim`}>
          <Legend />
        </p>
      )}
    </>
  );
}

function Legend() {
  const { t } = useTranslation();
  return <>{t('new.coverage_note')}</>;
}

function SourceFields() {
  const { t } = useTranslation();
  const { draft, change } = useForm();
  const sources = useSources().data ?? [];
  const chosen = sources.find((one) => (draft.data_source ? one.name === draft.data_source : one.default));
  const there = timeframesOf(chosen);
  const names = sources.map((one) => one.name);
  const value = draft.data_source ?? chosen?.name ?? '';
  return (
    <div className={classes.fields}>
      <ChoiceField
        pointer="/data_source"
        label={t('new.data_source')}
        value={value}
        options={[
          ...sources.map((one) => ({
            value: one.name,
            label: t('new.source_of', { name: one.name, count: most(one.timeframes) }),
          })),
          ...(value && !names.includes(value) ? [{ value, label: value }] : []),
        ]}
        onChange={(name) => {
          const source = sources.find((one) => one.name === name);
          const frames = timeframesOf(source);
          const timeframe = frames.includes(draft.timeframe)
            ? draft.timeframe
            : (frames[0] ?? draft.timeframe);
          change({ data_source: source?.default ? null : name, timeframe });
        }}
        hint={chosen && t('new.calendar', { name: chosen.calendar })}
      />
      <ChoiceField
        pointer="/timeframe"
        label={t('new.timeframe')}
        value={draft.timeframe}
        options={[...new Set([...there, draft.timeframe])].map((one) => ({
          value: one,
          label: t(`common.timeframe_${one}`),
        }))}
        onChange={(timeframe) => change({ timeframe: timeframe as Timeframe })}
        hint={there.length === 1 ? t('new.timeframe_only') : undefined}
      />
    </div>
  );
}

const most = (counts: Readonly<Record<string, number>>) => Math.max(0, ...Object.values(counts));
