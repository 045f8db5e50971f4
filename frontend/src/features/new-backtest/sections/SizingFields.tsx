import { useTranslation } from 'react-i18next';
import type { Strategy } from '@/api';
import { useFormat } from '@/lib/use-format';
import { ChoiceField } from '../fields/ChoiceField';
import { NumberField } from '../fields/NumberField';
import { useForm } from '../form';
import { PERCENT } from '../model/costs';
import type { Sizing } from '../model/draft';
import classes from '../new-backtest.module.css';

const TYPES = ['percent_equity', 'fixed_cash', 'fixed_shares'] as const;
const LIMITS = { above: 0, most: 1e15 };

/** How much an entry buys. A strategy of weights says so itself. */
export function SizingFields({ form }: { form: Strategy['form'] }) {
  const { t } = useTranslation();
  const f = useFormat();
  const { draft, change, errors } = useForm();
  const { sizing } = draft.execution;
  const set = (next: Sizing) => change({ execution: { ...draft.execution, sizing: next } });
  const wrong = [...errors.byField.keys()].some((field) => field.startsWith('/execution/sizing'));
  if (form === 'weights' && !wrong) return <p className="small soft">{t('new.sizing_by_strategy')}</p>;
  const percent = sizing.type === 'percent_equity';
  const n = Math.max(1, draft.symbols.length);
  return (
    <div className={classes.fields}>
      <ChoiceField
        pointer="/execution/sizing/type"
        label={t('new.sizing')}
        value={sizing.type}
        options={TYPES.map((value) => ({ value, label: t(`new.sizing_${value}`) }))}
        onChange={(type) => set({ type: type as Sizing['type'], value: null })}
        hint={form === 'events' ? t('new.sizing_events') : undefined}
      />
      <NumberField
        key={sizing.type}
        pointer="/execution/sizing/value"
        label={t(`new.sizing_value_${sizing.type}`)}
        prefix={sizing.type === 'fixed_cash' ? '$' : undefined}
        suffix={percent ? '%' : undefined}
        scale={percent ? PERCENT : 1}
        step={sizing.type === 'fixed_cash' ? 1000 : percent ? 5 : 1}
        limits={LIMITS}
        value={sizing.value}
        placeholder={percent ? f.percent(1 / n) : undefined}
        onChange={(value) => set({ ...sizing, value })}
        hint={percent ? t('new.sizing_hint', { n }) : undefined}
      />
    </div>
  );
}
