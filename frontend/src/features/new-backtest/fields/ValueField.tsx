import { Input, Switch, Textarea, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNames } from '@/lib/names';
import { useFieldError } from '../form';
import { same } from '../model/draft';
import type { ChoiceField as Choice, Field, PlainField, TextField } from '../model/schema';
import classes from '../new-backtest.module.css';
import { ChoiceField } from './ChoiceField';
import { ListField, MapField, ObjectField } from './Collections';
import { NumberField } from './NumberField';

export interface ValueFieldProps<F extends Field = Field> {
  label: string;
  pointer: string;
  field: F;
  value: unknown;
  /** What is taken while the field is empty. */
  fallback?: unknown;
  /** `null` for an emptied field. */
  onChange: (value: unknown) => void;
  hint?: ReactNode;
}

const ORDER: ('label' | 'input' | 'error' | 'description')[] = ['label', 'input', 'error', 'description'];

/** The input for one value of a JSON Schema. */
export function ValueField({ field, ...props }: ValueFieldProps) {
  const { t } = useTranslation();
  switch (field.kind) {
    case 'number':
      return (
        <NumberField
          {...props}
          value={typeof props.value === 'number' ? props.value : null}
          limits={field}
          step={field.step}
          placeholder={
            typeof props.fallback === 'number'
              ? String(props.fallback)
              : field.nullable
                ? t('new.unset')
                : undefined
          }
        />
      );
    case 'choice':
      return <Choices {...props} field={field} />;
    case 'text':
      return <Text {...props} field={field} />;
    case 'boolean':
      return <YesNo {...props} />;
    case 'list':
      return <ListField {...props} field={field} />;
    case 'map':
      return <MapField {...props} field={field} />;
    case 'object':
      return <ObjectField {...props} field={field} />;
    case 'scalar':
      return <Scalar {...props} />;
    case 'any':
      return <AnyJson {...props} field={field} />;
  }
}

const NONE = '\0none';

function Choices({ field, value, onChange, ...props }: ValueFieldProps<Choice>) {
  const { t } = useTranslation();
  const names = useNames();
  const options = field.options.map((one) => ({ value: String(one), label: names.choice(String(one)) }));
  return (
    <ChoiceField
      {...props}
      value={value === null || value === undefined ? NONE : String(value)}
      options={field.nullable ? [{ value: NONE, label: t('new.unset') }, ...options] : options}
      onChange={(next) => onChange(field.options.find((one) => String(one) === next) ?? null)}
    />
  );
}

function Text({ field, label, pointer, value, fallback, onChange, hint }: ValueFieldProps<TextField>) {
  return (
    <TextInput
      data-pointer={pointer}
      label={label}
      value={typeof value === 'string' ? value : ''}
      maxLength={field.longest}
      placeholder={typeof fallback === 'string' ? fallback : undefined}
      onChange={(event) => {
        const next = event.currentTarget.value;
        onChange(next === '' && field.nullable ? null : next);
      }}
      spellCheck={false}
      error={useFieldError(pointer)}
      description={hint}
      inputWrapperOrder={ORDER}
    />
  );
}

function YesNo({ label, pointer, value, onChange, hint }: Omit<ValueFieldProps, 'field'>) {
  const error = useFieldError(pointer);
  return (
    <Switch
      data-pointer={pointer}
      className={classes.switch}
      label={label}
      checked={value === true}
      onChange={(event) => onChange(event.currentTarget.checked)}
      error={error}
      description={hint}
    />
  );
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** What reads as a number is one, everything else is a text. */
export function Scalar({ label, pointer, value, onChange, hint }: Omit<ValueFieldProps, 'field'>) {
  const [raw, setRaw] = useState('');
  const read = (text: string): unknown => (NUMBER.test(text.trim()) ? Number(text) : text);
  return (
    <TextInput
      data-pointer={pointer}
      label={label}
      value={read(raw) === value ? raw : String(value ?? '')}
      onChange={(event) => {
        setRaw(event.currentTarget.value);
        onChange(read(event.currentTarget.value));
      }}
      classNames={{ input: classes.mono }}
      spellCheck={false}
      error={useFieldError(pointer)}
      description={hint}
      inputWrapperOrder={ORDER}
    />
  );
}

/** For a schema that no other field can show: the value as JSON. */
function AnyJson({ label, pointer, value, onChange, hint }: ValueFieldProps<PlainField>) {
  const { t } = useTranslation();
  const refused = useFieldError(pointer);
  const [raw, setRaw] = useState(() => JSON.stringify(value ?? null));
  const read = parsedJson(raw);
  const shown = read.ok && !same(read.value, value ?? null) ? JSON.stringify(value ?? null) : raw;
  return (
    <Textarea
      data-pointer={pointer}
      className={classes.wide}
      label={label}
      value={shown}
      rows={Math.min(12, shown.split('\n').length + 1)}
      onChange={(event) => {
        setRaw(event.currentTarget.value);
        const next = parsedJson(event.currentTarget.value);
        if (next.ok) onChange(next.value);
      }}
      size="xs"
      classNames={{ input: classes.mono }}
      spellCheck={false}
      error={read.ok ? refused : t('new.not_json')}
      description={hint}
      inputWrapperOrder={ORDER}
    />
  );
}

function parsedJson(text: string): { ok: true; value: unknown } | { ok: false } {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false };
  }
}

/** A name above what belongs to it, with its error and meaning below: for fields that are several inputs. */
export function Group({
  label,
  pointer,
  hint,
  children,
}: Pick<ValueFieldProps, 'label' | 'pointer' | 'hint'> & { children: ReactNode }) {
  const error = useFieldError(pointer);
  return (
    <Input.Wrapper
      className={classes.wide}
      data-pointer={pointer}
      size="xs"
      label={label}
      labelElement="div"
      error={error}
      description={hint}
      inputWrapperOrder={ORDER}
      role="group"
      aria-label={label}
    >
      {children}
    </Input.Wrapper>
  );
}
