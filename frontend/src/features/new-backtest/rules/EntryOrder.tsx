import { useTranslation } from 'react-i18next';
import { ChoiceField } from '../fields/ChoiceField';
import type { Completion, RuleError } from '../model/rules';
import classes from '../new-backtest.module.css';
import { RuleText } from './RuleText';

type OrderType = 'market' | 'limit' | 'stop';

interface EntryOrderProps {
  value: unknown;
  onChange: (value: unknown) => void;
  errorsAt: (pointer: string) => RuleError[];
  words: readonly Completion[];
  understood: boolean;
}

/** How an entry enters: at the market, or waiting for a price that is a rule itself. */
export function EntryOrder({ value, onChange, errorsAt, words, understood }: EntryOrderProps) {
  const { t } = useTranslation();
  const order = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const type = (typeof order.type === 'string' ? order.type : 'market') as OrderType;
  const price = typeof order.price === 'string' ? order.price : '';
  const errors = errorsAt('/parameters/entry_order/price');
  const waits = order.time_in_force === 'gtc' ? 'gtc' : 'next_bar';
  return (
    <div className="stack" style={{ gap: 12 }}>
      <div className={classes.fields}>
        <ChoiceField
          pointer="/parameters/entry_order/type"
          label={t('new.order_type')}
          value={type}
          options={(['market', 'limit', 'stop'] as const).map((one) => ({
            value: one,
            label: t(`enum.${one}`),
          }))}
          onChange={(next) =>
            onChange(
              next === 'market'
                ? undefined
                : { ...order, type: next, price: price || 'close - 0.5 * atr(14)' },
            )
          }
        />
        {type !== 'market' && (
          <ChoiceField
            pointer="/parameters/entry_order/time_in_force"
            label={t('new.order_valid')}
            value={waits}
            options={(['next_bar', 'gtc'] as const).map((one) => ({ value: one, label: t(`enum.${one}`) }))}
            onChange={(next) => onChange({ ...order, time_in_force: next })}
          />
        )}
      </div>
      {type !== 'market' && (
        <RuleText
          pointer="/parameters/entry_order/price"
          label={t('new.order_price')}
          hint={t('new.order_price_hint')}
          value={price}
          onChange={(next) => onChange({ ...order, price: next === '' ? null : next })}
          errors={errors}
          understood={understood && errors.length === 0 && price !== ''}
          words={words}
        />
      )}
    </div>
  );
}
