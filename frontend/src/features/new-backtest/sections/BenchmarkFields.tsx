import { Autocomplete } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { NumberField } from '../fields/NumberField';
import { useFieldError, useForm } from '../form';
import { PERCENT } from '../model/costs';
import classes from '../new-backtest.module.css';
import { More } from './Section';

const OFFERED = 50;

export function BenchmarkFields() {
  const { t } = useTranslation();
  const { draft, change, errors, symbols } = useForm();
  const error = useFieldError('/benchmark');
  const known = useMemo(() => [...symbols.keys()], [symbols]);
  const take = (text: string) => {
    const symbol = text.trim();
    const upper = symbol.toUpperCase();
    change({ benchmark: symbol === '' ? null : symbols.has(upper) ? upper : symbol });
  };
  const needed =
    (draft.risk_free_rate ?? 0) !== 0 ||
    draft.periods_per_year !== null ||
    errors.byField.has('/risk_free_rate') ||
    errors.byField.has('/periods_per_year');
  return (
    <>
      <div className={classes.fields}>
        <Autocomplete
          data-pointer="/benchmark"
          size="xs"
          label={t('new.benchmark')}
          placeholder={t('new.no_benchmark')}
          data={known}
          limit={OFFERED}
          value={draft.benchmark ?? ''}
          onChange={take}
          clearable
          clearButtonProps={{ 'aria-label': t('new.clear_benchmark') }}
          spellCheck={false}
          error={error}
          description={t('new.benchmark_hint')}
          inputWrapperOrder={['label', 'input', 'error', 'description']}
        />
      </div>
      <More label={t('new.more_metrics')} needed={needed}>
        <div className={classes.fields}>
          <NumberField
            pointer="/risk_free_rate"
            label={t('new.risk_free_rate')}
            suffix={t('new.percent_year')}
            scale={PERCENT}
            step={0.25}
            limits={{ above: -1, most: 10 }}
            value={draft.risk_free_rate}
            placeholder="0%"
            onChange={(risk_free_rate) => change({ risk_free_rate })}
            hint={t('new.risk_free_hint')}
          />
          <NumberField
            pointer="/periods_per_year"
            label={t('new.periods_per_year')}
            limits={{ above: 0, most: 1e6 }}
            value={draft.periods_per_year}
            placeholder={t('new.from_calendar')}
            onChange={(periods_per_year) => change({ periods_per_year })}
            hint={t('new.periods_hint')}
          />
        </div>
      </More>
    </>
  );
}
