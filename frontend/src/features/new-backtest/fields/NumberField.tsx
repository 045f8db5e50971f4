import { NumberInput } from '@mantine/core';
import type { TFunction } from 'i18next';
import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFieldError } from '../form';
import { scaled, unscaled } from '../model/costs';
import { type LimitProblem, type Limits, limitProblem } from '../model/schema';

interface NumberFieldProps {
  pointer: string;
  label: string;
  value: number | null;
  onChange: (value: number | null) => void;
  /** Of what is kept, not of what is shown. */
  limits?: Partial<Limits>;
  /** What is kept is what is shown times this: 0.01 shows percent. */
  scale?: number;
  step?: number;
  prefix?: string;
  suffix?: string;
  /** Shown while the field is empty: what is taken then. */
  placeholder?: string;
  hint?: ReactNode;
}

const parsed = (raw: string | number): number | null => {
  const value = typeof raw === 'number' ? raw : raw.trim() === '' ? null : Number(raw);
  return value !== null && Number.isFinite(value) ? value : null;
};

/** A number with its limits. What is typed stays as typed ("0.", "1.50") as long as it means the value, or no number
 * yet ("-"); what is out of the limits stays too, beside the reason. */
export function NumberField({
  pointer,
  value,
  onChange,
  limits = {},
  scale = 1,
  ...shown
}: NumberFieldProps) {
  const { label, step, prefix, suffix, placeholder, hint } = shown;
  const { t } = useTranslation();
  const refused = useFieldError(pointer);
  const [raw, setRaw] = useState<string | number>('');
  const [typing, setTyping] = useState(false);
  const there = value === null ? null : unscaled(value, scale);
  const least = limits.least ?? limits.above;
  const most = limits.most ?? limits.below;
  const typed = parsed(raw);
  const problem = value === null ? null : limitProblem(value, { integer: false, ...limits });
  const inUnits = (limit: number | undefined) => (limit === undefined ? undefined : unscaled(limit, scale));
  return (
    <NumberInput
      data-pointer={pointer}
      label={label}
      value={typed === there || (typing && typed === null) ? raw : (there ?? '')}
      onChange={(next) => {
        setRaw(next);
        setTyping(true);
        const number = parsed(next);
        onChange(number === null ? null : scaled(number, scale));
      }}
      onBlur={() => setTyping(false)}
      step={step}
      min={inUnits(least)}
      max={inUnits(most)}
      clampBehavior="none"
      startValue={inUnits(least) ?? 0}
      prefix={prefix}
      suffix={suffix}
      thousandSeparator={prefix ? ',' : undefined}
      placeholder={placeholder}
      error={
        problem
          ? limitText(t, problem, (limit) => `${prefix ?? ''}${unscaled(limit, scale)}${suffix ?? ''}`)
          : refused
      }
      description={hint}
      inputWrapperOrder={['label', 'input', 'error', 'description']}
    />
  );
}

function limitText(
  t: TFunction,
  { code, low, high }: LimitProblem,
  shown: (limit: number) => string,
): string {
  const say = t as (key: string, values: object) => string;
  return say(`new.limit_${code}`, {
    low: low === undefined ? '' : shown(low),
    high: high === undefined ? '' : shown(high),
  });
}
