import { SegmentedControl } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Notice } from '@/components/Notice';
import { NumberField } from '../fields/NumberField';
import { useForm } from '../form';
import { BPS, PERCENT, PRESET_NAMES, type Preset, presetOf, withPreset } from '../model/costs';
import { API_DEFAULTS, type Costs } from '../model/draft';
import classes from '../new-backtest.module.css';
import { More } from './Section';

const CUSTOM = 'custom';
const MONEY = { least: 0, most: 1e15 };
const PER_FILL = ['commission_per_share', 'commission_fixed', 'commission_min'] as const;

export function CostFields() {
  const { t } = useTranslation();
  const { draft, change, errors } = useForm();
  const { costs } = draft;
  const set = (part: Partial<Costs>) => change({ costs: { ...costs, ...part } });
  const preset = presetOf(costs);
  const needed = [...PER_FILL, 'borrow_rate' as const].some(
    (name) => (costs[name] ?? 0) > 0 || errors.byField.has(`/costs/${name}`),
  );
  return (
    <>
      <SegmentedControl
        className={classes.presets}
        aria-label={t('new.s_costs')}
        value={preset ?? CUSTOM}
        onChange={(name) => name !== CUSTOM && change({ costs: withPreset(costs, name as Preset) })}
        data={[...PRESET_NAMES, CUSTOM].map((value) => ({
          value,
          label: t(`new.cost_${value as Preset}`),
          disabled: value === CUSTOM && preset !== null,
        }))}
      />
      <div className={classes.fields}>
        <NumberField
          pointer="/costs/commission_rate"
          label={t('new.commission')}
          suffix={t('new.bps')}
          scale={BPS}
          limits={{ least: 0, below: 1 }}
          value={costs.commission_rate}
          placeholder={t('new.zero_bps')}
          onChange={(commission_rate) => set({ commission_rate })}
          hint={t('new.commission_hint')}
        />
        <NumberField
          pointer="/costs/slippage_bps"
          label={t('new.slippage')}
          suffix={t('new.bps')}
          limits={{ least: 0, below: 10_000 }}
          value={costs.slippage_bps}
          placeholder={t('new.zero_bps')}
          onChange={(slippage_bps) => set({ slippage_bps })}
          hint={t('new.slippage_hint')}
        />
        <NumberField
          pointer="/initial_capital"
          label={t('new.capital')}
          limits={{ above: 0, most: 1e15 }}
          step={10_000}
          prefix="$"
          value={draft.initial_capital}
          placeholder={`$${API_DEFAULTS.initial_capital.toLocaleString('en-US')}`}
          onChange={(initial_capital) => change({ initial_capital })}
        />
      </div>
      {preset === 'none' && <Notice tone="warn">{t('new.w_zero_costs')}</Notice>}
      <More label={t('new.more_costs')} needed={needed}>
        <div className={classes.fields}>
          {PER_FILL.map((name) => (
            <NumberField
              key={name}
              pointer={`/costs/${name}`}
              label={t(`new.${name}`)}
              prefix="$"
              step={name === 'commission_per_share' ? 0.001 : 1}
              limits={MONEY}
              value={costs[name]}
              placeholder="$0"
              onChange={(value) => set({ [name]: value })}
              hint={t(`new.${name}_hint`)}
            />
          ))}
          <NumberField
            pointer="/costs/borrow_rate"
            label={t('new.borrow_rate')}
            suffix={t('new.percent_year')}
            scale={PERCENT}
            step={0.25}
            limits={{ least: 0, most: 1 }}
            value={costs.borrow_rate}
            placeholder="0%"
            onChange={(borrow_rate) => set({ borrow_rate })}
            hint={t('new.borrow_hint')}
          />
        </div>
      </More>
    </>
  );
}
