import { ActionIcon, Autocomplete, Button, Switch, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '@/components/icons';
import { useForm } from '../form';
import { pointerTo } from '../model/pointers';
import {
  blank,
  type ListField as List,
  type MapField as Map_,
  type ObjectField as Object_,
} from '../model/schema';
import classes from '../new-backtest.module.css';
import { SchemaForm } from './SchemaForm';
import { Group, ValueField, type ValueFieldProps } from './ValueField';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function ListField({ field, label, pointer, value, onChange, hint }: ValueFieldProps<List>) {
  const { t } = useTranslation();
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  const replace = (index: number, next: unknown) =>
    onChange(items.map((item, at) => (at === index ? next : item)));
  return (
    <Group label={label} pointer={pointer} hint={hint}>
      <div className={classes.entries}>
        {items.map((item, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: items have no identity but their place
          <div key={index} className={classes.entry}>
            <ValueField
              label={t('new.item', { name: label, n: index + 1 })}
              pointer={pointer + pointerTo(index)}
              field={field.item}
              value={item}
              onChange={(next) => replace(index, next)}
            />
            <Remove
              label={t('new.remove_item', { name: `${label} ${index + 1}` })}
              disabled={items.length <= field.least}
              onClick={() => onChange(items.filter((_, at) => at !== index))}
            />
          </div>
        ))}
        <Add
          label={t('new.add_to', { name: label })}
          disabled={items.length >= field.most}
          onClick={() => onChange([...items, blank(field.item)])}
        />
      </div>
    </Group>
  );
}

/** Names with values. Where the names are likely symbols of the run, those are offered. */
export function MapField({ field, label, pointer, value, onChange, hint }: ValueFieldProps<Map_>) {
  const { t } = useTranslation();
  const { draft } = useForm();
  const entries = Object.entries(isRecord(value) ? value : {});
  const taken = entries.map(([name]) => name);
  const bySymbol = field.value.kind === 'number';
  const free = bySymbol ? draft.symbols.filter((symbol) => !taken.includes(symbol)) : [];
  const rename = (index: number, name: string) =>
    onChange(Object.fromEntries(entries.map(([old, item], at) => [at === index ? name : old, item])));
  const replace = (name: string, next: unknown) =>
    onChange(
      Object.fromEntries(
        entries.map(([old, item]) => [old, old === name ? (next ?? blank(field.value)) : item]),
      ),
    );
  const add = () => {
    let name = free[0] ?? 'name';
    for (let n = 2; taken.includes(name); n += 1) name = `${free[0] ?? 'name'}${n}`;
    onChange({ ...(isRecord(value) ? value : {}), [name]: blank(field.value) });
  };
  return (
    <Group label={label} pointer={pointer} hint={hint}>
      <div className={classes.entries}>
        {entries.map(([name, item], index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a name changes while it is typed
          <div key={index} className={classes.entry}>
            <NameInput
              name={name}
              label={t('new.entry_name', { n: index + 1 })}
              offered={free}
              taken={taken}
              onRename={(next) => rename(index, next)}
            />
            <ValueField
              label={t('new.entry_value', { name })}
              pointer={pointer + pointerTo(name)}
              field={field.value}
              value={item}
              onChange={(next) => replace(name, next)}
            />
            <Remove
              label={t('new.remove_item', { name })}
              onClick={() => onChange(Object.fromEntries(entries.filter(([other]) => other !== name)))}
            />
          </div>
        ))}
        <Add label={t('new.add_to', { name: label })} disabled={entries.length >= field.most} onClick={add} />
      </div>
    </Group>
  );
}

interface NameInputProps {
  name: string;
  label: string;
  offered: readonly string[];
  taken: readonly string[];
  onRename: (name: string) => void;
}

/** A name that another entry has stays in the field, marked, and is not taken over. */
function NameInput({ name, label, offered, taken, onRename }: NameInputProps) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState<string | null>(null);
  const shown = typed ?? name;
  const wrong = typed !== null && typed !== name;
  const rename = (next: string) => {
    const usable = next !== '' && (next === name || !taken.includes(next));
    setTyped(usable ? null : next);
    if (usable) onRename(next);
  };
  const props = {
    label,
    value: shown,
    error: wrong && (shown === '' ? t('new.name_empty') : t('new.name_taken')),
    classNames: { input: classes.mono },
    spellCheck: false,
    onBlur: () => setTyped(null),
  };
  return offered.length > 0 ? (
    <Autocomplete {...props} size="xs" data={[...offered]} onChange={rename} />
  ) : (
    <TextInput {...props} onChange={(event) => rename(event.currentTarget.value)} />
  );
}

export function ObjectField({ field, label, pointer, value, onChange, hint }: ValueFieldProps<Object_>) {
  const given = isRecord(value) ? value : null;
  const there = given !== null || !field.nullable;
  return (
    <Group label={label} pointer={pointer} hint={hint}>
      {field.nullable && (
        <Switch
          className={classes.switch}
          aria-label={label}
          checked={there}
          onChange={(event) =>
            onChange(event.currentTarget.checked ? blank({ ...field, nullable: false }) : null)
          }
        />
      )}
      {there && (
        <div className={classes.nested}>
          <SchemaForm
            complete
            fields={field.fields}
            at={pointer}
            value={given ?? {}}
            onChange={(next) => onChange(next)}
          />
        </div>
      )}
    </Group>
  );
}

function Remove({ label, disabled, onClick }: { label: string; disabled?: boolean; onClick: () => void }) {
  return (
    <ActionIcon aria-label={label} disabled={disabled} onClick={onClick} className={classes.remove}>
      <Icon name="close" size={14} />
    </ActionIcon>
  );
}

function Add({ label, disabled, onClick }: { label: string; disabled?: boolean; onClick: () => void }) {
  return (
    <Button
      variant="default"
      size="compact-xs"
      className={classes.add}
      leftSection={<Icon name="plus" size={12} />}
      disabled={disabled}
      onClick={onClick}
    >
      {label}
    </Button>
  );
}
