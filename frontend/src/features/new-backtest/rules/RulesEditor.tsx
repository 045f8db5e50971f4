import { Button, Menu, SegmentedControl } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useRuleCompletions, useRulesCheck } from '@/api';
import { Icon } from '@/components/icons';
import { Notice } from '@/components/Notice';
import { useNames } from '@/lib/names';
import { useFormat } from '@/lib/use-format';
import { SchemaForm } from '../fields/SchemaForm';
import { ValueField } from '../fields/ValueField';
import { useFieldError, useForm } from '../form';
import { type Parameters, same } from '../model/draft';
import {
  ENTRIES,
  EXAMPLE_NAMES,
  EXAMPLES,
  isRotation,
  namedValues,
  ROTATION,
  type RuleError,
} from '../model/rules';
import type { NamedField } from '../model/schema';
import classes from '../new-backtest.module.css';
import { More } from '../sections/Section';
import { EntryOrder } from './EntryOrder';
import { RuleText } from './RuleText';

const WAIT_MS = 250;
type TextName = 'entry' | 'exit' | 'short_entry' | 'short_exit' | 'rank';

/** Rules as text, read by the server while they are written. */
export function RulesEditor({ fields }: { fields: readonly NamedField[] }) {
  const { t } = useTranslation();
  const f = useFormat();
  const names = useNames();
  const { draft, change } = useForm();
  const { parameters } = draft;
  const { direction } = draft.execution;
  const set = (part: Parameters) => change({ parameters: without({ ...parameters, ...part }) });
  const asked = useMemo(() => ({ parameters: { ...parameters }, direction }), [parameters, direction]);
  const [settled] = useDebouncedValue(asked, WAIT_MS);
  const answer = useRulesCheck(settled);
  const report = answer.data;
  const current = !answer.isPlaceholderData && settled === asked;
  const known = useRuleCompletions().data;
  const words = useMemo(
    () => [...namedValues(parameters.values), ...(known ?? [])],
    [parameters.values, known],
  );
  const errorsAt = (pointer: string): RuleError[] =>
    report?.errors.filter(
      (error) => error.pointer === pointer && placed(error, parameters, settled.parameters),
    ) ?? [];
  const [rotation, setRotation] = useState(() => isRotation(parameters));
  const aside = useRef<Parameters>({});
  const turn = (to: string) => {
    const keep = to === 'rotation' ? ENTRIES : ROTATION;
    const { kept, dropped } = split(parameters, keep as readonly string[], to === 'rotation');
    const back = aside.current;
    aside.current = dropped;
    setRotation(to === 'rotation');
    change({ parameters: without({ ...(to === 'rotation' ? EXAMPLES.rotation : {}), ...back, ...kept }) });
  };
  const text = (name: TextName, label: string, hint?: string) => {
    const value = typeof parameters[name] === 'string' ? parameters[name] : '';
    const errors = errorsAt(`/parameters/${name}`);
    return (
      <RuleText
        key={name}
        pointer={`/parameters/${name}`}
        label={label}
        hint={hint}
        value={value}
        onChange={(next) => set({ [name]: next === '' ? undefined : next })}
        errors={errors}
        understood={value !== '' && current && errors.length === 0 && report !== undefined}
        words={words}
      />
    );
  };
  const shorts = direction !== 'long_only' || 'short_entry' in parameters || 'short_exit' in parameters;
  const valuesField = fields.find((one) => one.name === 'values');
  return (
    <div className={classes.rules}>
      <div className="row spread wrap">
        <SegmentedControl
          aria-label={t('new.rules_mode')}
          value={rotation ? 'rotation' : 'signals'}
          onChange={turn}
          data={(['signals', 'rotation'] as const).map((value) => ({
            value,
            label: t(`new.rules_${value}`),
          }))}
        />
        <Examples
          onTake={(example) => {
            setRotation(isRotation(example));
            change({ parameters: { ...example } });
          }}
        />
      </div>
      {rotation ? (
        <>
          {text('rank', t('new.rules_rank'), t('new.rules_rank_hint'))}
          {text('entry', t('new.rules_filter'), t('new.rules_filter_hint'))}
          <SchemaForm
            fields={fields.filter(
              (one) => one.name !== 'rank' && (ROTATION as readonly string[]).includes(one.name),
            )}
            at="/parameters"
            value={parameters}
            onChange={(next) => change({ parameters: without(next) })}
          />
        </>
      ) : (
        <>
          {text('entry', t('new.rules_entry'))}
          {text('exit', t('new.rules_exit'))}
          {shorts && text('short_entry', t('new.rules_short_entry'))}
          {shorts && text('short_exit', t('new.rules_short_exit'))}
        </>
      )}
      {valuesField && (
        <ValueField
          label={t('new.rules_values')}
          pointer="/parameters/values"
          field={valuesField.field}
          value={parameters.values ?? {}}
          onChange={(next) => set({ values: same(next, {}) ? undefined : next })}
          hint={t('new.rules_values_hint')}
        />
      )}
      {!rotation && (
        <More label={t('new.rules_order')} needed={'entry_order' in parameters}>
          <EntryOrder
            value={parameters.entry_order}
            onChange={(entry_order) => set({ entry_order })}
            errorsAt={errorsAt}
            words={words}
            understood={current && report !== undefined}
          />
        </More>
      )}
      <WholeError />
      {current && report?.valid && (
        <p className="tiny dim">
          {t('new.rules_warmup', { n: f.integer(report.warmup) })}{' '}
          {report.form && t(`new.rules_form_${report.form}`)}
        </p>
      )}
      {report?.notes.map((note) => (
        <Notice key={note}>{names.said(note)}</Notice>
      ))}
    </div>
  );
}

/** A mistake's place counts in the text it was found in, and in no newer one. */
const placed = (error: RuleError, now: Parameters, then: Parameters): boolean => {
  const name = error.pointer.split('/')[2] ?? '';
  return error.line === null || same(now[name], then[name]);
};

const without = (parameters: Parameters): Parameters =>
  Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null));

/** Named values belong to both ways of writing rules, and the entry too. */
function split(parameters: Parameters, names: readonly string[], toRotation: boolean) {
  const dropped: Record<string, unknown> = {};
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(parameters)) {
    const leaves = names.includes(name) && !(toRotation && name === 'entry');
    (leaves ? dropped : kept)[name] = value;
  }
  return { kept, dropped };
}

/** What is wrong with all of it, and no single text. */
function WholeError() {
  const whole = useFieldError('/parameters');
  return whole ? <p className={classes.error}>{whole}</p> : null;
}

function Examples({ onTake }: { onTake: (example: Parameters) => void }) {
  const { t } = useTranslation();
  return (
    <Menu>
      <Menu.Target>
        <Button variant="subtle" size="compact-xs" rightSection={<Icon name="down" size={12} />}>
          {t('new.rules_examples')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {EXAMPLE_NAMES.map((name) => (
          <Menu.Item key={name} onClick={() => onTake(EXAMPLES[name])}>
            {t(`new.example_${name}`)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
