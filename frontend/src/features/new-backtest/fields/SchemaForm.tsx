import { useTranslation } from 'react-i18next';
import { useNames } from '@/lib/names';
import { same } from '../model/draft';
import { pointerTo } from '../model/pointers';
import type { NamedField } from '../model/schema';
import classes from '../new-backtest.module.css';
import { ValueField } from './ValueField';

interface SchemaFormProps {
  fields: readonly NamedField[];
  /** Where they are in the configuration. */
  at: string;
  /** Only what was set. */
  value: Readonly<Record<string, unknown>>;
  onChange: (value: Record<string, unknown>) => void;
  /** Every entry is part of the value, also one that is as its default (an item of a list). */
  complete?: boolean;
}

/** One field per property of a JSON Schema: a new strategy needs no code here. */
export function SchemaForm({ fields, at, value, onChange, complete }: SchemaFormProps) {
  const { t } = useTranslation();
  const names = useNames();
  if (fields.length === 0) return <p className="small dim">{t('new.no_parameters')}</p>;
  const set = (name: string, next: unknown) => onChange({ ...value, [name]: next });
  const reset = (name: string) => {
    const { [name]: _, ...rest } = value;
    onChange(rest);
  };
  return (
    <div className={classes.fields}>
      {fields.map((one) => {
        const isSet = Object.hasOwn(value, one.name);
        const current = isSet ? value[one.name] : one.default;
        const changed = isSet && one.default !== undefined && !same(current, one.default);
        return (
          <ValueField
            key={one.name}
            label={names.parameter(one.name)}
            pointer={at + pointerTo(one.name)}
            field={one.field}
            value={current}
            fallback={one.default}
            onChange={(next) => {
              const emptied = next === null && !one.field.nullable;
              if (!complete && (emptied || same(next, one.default))) reset(one.name);
              else set(one.name, next);
            }}
            hint={
              <Hint
                description={names.said(one.description)}
                fallback={one.default}
                changed={changed}
                onReset={() => reset(one.name)}
                label={names.parameter(one.name)}
              />
            }
          />
        );
      })}
    </div>
  );
}

interface HintProps {
  description: string;
  fallback: unknown;
  changed: boolean;
  onReset: () => void;
  label: string;
}

/** What the field means, what it is when left alone, and the way back. */
function Hint({ description, fallback, changed, onReset, label }: HintProps) {
  const { t } = useTranslation();
  const text = useValueText()(fallback);
  return (
    <>
      {description}{' '}
      {text !== null && (
        <span className={classes.fallback}>
          {t('new.default', { value: text })}
          {changed && (
            <>
              {' · '}
              <button type="button" className={classes.reset} onClick={onReset}>
                {t('new.reset')}
                <span className="visually-hidden"> {label}</span>
              </button>
            </>
          )}
        </span>
      )}
    </>
  );
}

/** A default as a word; `null` for one that has none worth showing. */
function useValueText(): (value: unknown) => string | null {
  const { t } = useTranslation();
  const names = useNames();
  return (value) => {
    if (value === undefined) return null;
    if (value === null) return t('new.unset');
    if (typeof value === 'boolean') return t(value ? 'new.yes' : 'new.no');
    if (typeof value === 'string') return value === '' ? null : names.choice(value);
    if (typeof value === 'number') return String(value);
    if (Array.isArray(value)) return value.length ? value.map(String).join(', ') : t('new.empty');
    return Object.keys(value as object).length ? JSON.stringify(value) : t('new.empty');
  };
}
