import { Switch } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Strategy } from '@/api';
import { ChoiceField } from '../fields/ChoiceField';
import { NumberField } from '../fields/NumberField';
import { useFieldError, useForm } from '../form';
import { PERCENT } from '../model/costs';
import type { Execution, Risk } from '../model/draft';
import classes from '../new-backtest.module.css';
import { BenchmarkFields } from './BenchmarkFields';
import { More, Part } from './Section';
import { SizingFields } from './SizingFields';

const FILLS = ['next_open', 'next_close', 'same_close'] as const;
const DIRECTIONS = ['long_only', 'long_short', 'short_only'] as const;
const STOPS = { stop_loss: 1, take_profit: 100, trailing_stop: 1 } as const;
const STOP_NAMES = Object.keys(STOPS) as (keyof typeof STOPS)[];

export function ExecutionFields({ form }: { form: Strategy['form'] }) {
  const { t } = useTranslation();
  const { draft, change, errors } = useForm();
  const { execution } = draft;
  const set = (part: Partial<Execution>) => change({ execution: { ...execution, ...part } });
  const wrong = (...names: string[]) => names.some((name) => errors.byField.has(`/execution/${name}`));
  return (
    <>
      <Part title={t('new.p_orders')}>
        <div className={classes.fields}>
          <ChoiceField
            pointer="/execution/fill"
            label={t('new.fill')}
            value={execution.fill}
            options={FILLS.map((value) => ({ value, label: t(`new.fill_${value}`) }))}
            onChange={(value) => set({ fill: value as Execution['fill'] })}
            hint={t(`new.fill_hint_${execution.fill}`)}
          />
          <ChoiceField
            pointer="/execution/direction"
            label={t('new.direction')}
            value={execution.direction}
            options={DIRECTIONS.map((value) => ({ value, label: t(`new.${value}`) }))}
            onChange={(value) => set({ direction: value as Execution['direction'] })}
          />
          <ChoiceField
            pointer="/execution/price_mode"
            label={t('new.price_mode')}
            value={execution.price_mode}
            options={(['adjusted', 'raw'] as const).map((value) => ({
              value,
              label: t(`new.price_${value}`),
            }))}
            onChange={(value) =>
              set(value === 'raw' ? { price_mode: 'raw' } : { price_mode: 'adjusted', dividends: 'cash' })
            }
            hint={t(`new.price_hint_${execution.price_mode}`)}
          />
          {(execution.price_mode === 'raw' || execution.dividends === 'reinvest') && (
            <ChoiceField
              pointer="/execution/dividends"
              label={t('new.dividends')}
              value={execution.dividends}
              options={(['cash', 'reinvest'] as const).map((value) => ({
                value,
                label: t(`new.dividends_${value}`),
              }))}
              onChange={(value) => set({ dividends: value as Execution['dividends'] })}
            />
          )}
        </div>
      </Part>
      <Part title={t('new.p_size')}>
        <SizingFields form={form} />
        <Fractional
          checked={execution.fractional_shares}
          onChange={(fractional_shares) => set({ fractional_shares })}
        />
        <More
          label={t('new.more_leverage')}
          needed={
            execution.max_leverage !== 1 ||
            execution.maintenance_margin !== null ||
            wrong('max_leverage', 'maintenance_margin')
          }
        >
          <div className={classes.fields}>
            <NumberField
              pointer="/execution/max_leverage"
              label={t('new.max_leverage')}
              suffix="×"
              step={0.5}
              limits={{ above: 0, most: 100 }}
              value={execution.max_leverage}
              placeholder="1×"
              onChange={(max_leverage) => set({ max_leverage })}
              hint={t('new.leverage_hint')}
            />
            <NumberField
              pointer="/execution/maintenance_margin"
              label={t('new.maintenance_margin')}
              suffix="%"
              scale={PERCENT}
              step={5}
              limits={{ least: 0, below: 1 }}
              value={execution.maintenance_margin}
              placeholder={t('new.off')}
              onChange={(maintenance_margin) => set({ maintenance_margin })}
              hint={t('new.margin_hint')}
            />
          </div>
        </More>
      </Part>
      <Part title={t('new.p_risk')}>
        <RiskFields />
      </Part>
      <Part title={t('new.p_compare')}>
        <BenchmarkFields />
      </Part>
    </>
  );
}

function Fractional({ checked, onChange }: { checked: boolean; onChange: (checked: boolean) => void }) {
  const { t } = useTranslation();
  const error = useFieldError('/execution/fractional_shares');
  return (
    <Switch
      data-pointer="/execution/fractional_shares"
      className={classes.switch}
      label={t('new.fractional')}
      description={t('new.fractional_hint')}
      error={error}
      checked={checked}
      onChange={(event) => onChange(event.currentTarget.checked)}
    />
  );
}

function RiskFields() {
  const { t } = useTranslation();
  const { draft, change, errors } = useForm();
  const { risk } = draft;
  const set = (part: Partial<Risk>) => change({ risk: { ...risk, ...part } });
  const any = STOP_NAMES.some((name) => risk[name] !== null);
  return (
    <div className={classes.fields}>
      {STOP_NAMES.map((name) => (
        <NumberField
          key={name}
          pointer={`/risk/${name}`}
          label={t(`new.${name}`)}
          suffix="%"
          scale={PERCENT}
          limits={STOPS[name] === 1 ? { above: 0, below: 1 } : { above: 0, most: STOPS[name] }}
          value={risk[name]}
          placeholder={t('new.off')}
          onChange={(value) => set({ [name]: value })}
          hint={t(`new.${name}_hint`)}
        />
      ))}
      {(any || errors.byField.has('/risk/stops_active')) && (
        <ChoiceField
          pointer="/risk/stops_active"
          label={t('new.stops_active')}
          value={risk.stops_active}
          options={(['entry_bar', 'next_bar'] as const).map((value) => ({
            value,
            label: t(`new.stops_${value}`),
          }))}
          onChange={(value) => set({ stops_active: value as Risk['stops_active'] })}
        />
      )}
    </div>
  );
}
