import { useDebouncedValue, useHotkeys } from '@mantine/hooks';
import { useEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiProblem, type Schema, type Strategy, type SymbolInfo, useRulesCheck, useValidation } from '@/api';
import { useNames } from '@/lib/names';
import { useFormat } from '@/lib/use-format';
import { SchemaForm } from './fields/SchemaForm';
import { FormProvider, useFieldError } from './form';
import { type Draft, optionsOf, RULES, toInput } from './model/draft';
import { anyRange, clamped } from './model/period';
import { onlyDataIsMissing, pointerTo, shownFields, sorted, withOutside } from './model/pointers';
import { EXAMPLES } from './model/rules';
import { fieldsOf, type NamedField, pointersIn } from './model/schema';
import { sentences } from './model/sentence';
import classes from './new-backtest.module.css';
import { RulesEditor } from './rules/RulesEditor';
import { CostFields } from './sections/CostFields';
import { ExecutionFields } from './sections/ExecutionFields';
import { Section } from './sections/Section';
import { StrategyPicker, useHint } from './sections/StrategyPicker';
import { UniverseFields } from './sections/UniverseFields';
import { SubmitState } from './summary/SubmitState';
import { SummaryPanel } from './summary/SummaryPanel';
import { OtherErrors } from './summary/Warnings';
import { useSubmission } from './use-submission';

const WAIT_MS = 300;
const NAMED = 3;

interface NewBacktestFormProps {
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
  onSubmitted: () => void;
  strategies: readonly Strategy[];
  refused: readonly Schema<'RefusedPluginOut'>[];
  /** Of the chosen source and timeframe. */
  symbols: readonly SymbolInfo[] | undefined;
}

export function NewBacktestForm({
  draft,
  onChange,
  onSubmitted,
  strategies,
  refused,
  symbols,
}: NewBacktestFormProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const names = useNames();
  const hint = useHint();
  const remembered = useRef<Record<string, Draft['parameters']>>({});
  const form = useRef<HTMLFormElement>(null);

  const strategy = strategies.find((one) => one.name === draft.strategy_type);
  const fields = useMemo(() => (strategy ? fieldsOf(strategy.parameters) : []), [strategy]);
  const known = useMemo(() => new Map((symbols ?? []).map((info) => [info.symbol, info])), [symbols]);
  const spans = useMemo(
    () => draft.symbols.flatMap((symbol) => known.get(symbol) ?? []),
    [draft.symbols, known],
  );
  const { period, clamps, outside } = useMemo(() => {
    const wanted = { start: draft.start_date, end: draft.end_date };
    // data that is still to come may have these days
    return draft.wait_for_data ? { period: wanted, clamps: [], outside: [] } : clamped(wanted, spans);
  }, [draft.start_date, draft.end_date, draft.wait_for_data, spans]);

  const suggestedName = `${names.strategy(draft.strategy_type)}, ${draft.symbols.slice(0, NAMED).join(' ')}${
    draft.symbols.length > NAMED ? ` +${draft.symbols.length - NAMED}` : ''
  }`.replace(/, $/, '');
  const input = useMemo(
    () => toInput(draft, { suggestedName, period, strategy }),
    [draft, suggestedName, period, strategy],
  );
  const [settled] = useDebouncedValue(input, WAIT_MS);
  const validation = useValidation(symbols ? settled : null);
  const { send, failure: lastFailure, pending } = useSubmission(onSubmitted);
  const failure = lastFailure && same(lastFailure.input, input) ? lastFailure : null;
  const answer = validation.error ? undefined : validation.data;
  const errors = useMemo(() => {
    const pointers = fields.flatMap((one) =>
      pointersIn(one.field, draft.parameters[one.name] ?? one.default, pointerTo('parameters', one.name)),
    );
    const found = failure?.problem.errors.length ? failure.problem.errors : (answer?.errors ?? []);
    return sorted(withOutside(found, outside), shownFields(pointers));
  }, [failure, answer, outside, fields, draft.parameters]);
  const wrong = [...errors.byField.values()].reduce((sum, list) => sum + list.length, errors.rest.length);
  const waits = onlyDataIsMissing([...errors.byField.values()].flat().concat(errors.rest));
  const ready = wrong === 0 || (waits && draft.wait_for_data);

  const rulesForm = useRulesForm(draft);
  const decides = draft.strategy_type === RULES ? rulesForm : (strategy?.form ?? null);
  const told = sentences(draft, {
    t,
    f,
    names,
    hint: strategy ? hint(strategy) : '',
    strategy,
    form: decides,
    period,
    range: anyRange(spans),
  });

  const showError = () => focusFirst(form.current, [...errors.byField.keys()]);
  const submit = (useCache: boolean) => {
    if (ready) send(input, optionsOf(draft, useCache));
    else showError();
  };
  const onKey = useRef(submit);
  onKey.current = submit;
  useHotkeys([['mod+Enter', () => onKey.current(true)]], []);
  const refusal = failure?.problem.status === 422 ? failure.at : null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for every refusal
  useEffect(() => {
    if (refusal !== null) showError();
  }, [refusal]);

  const choose = (next: Strategy) => {
    remembered.current[draft.strategy_type] = draft.parameters;
    const fresh = next.name === RULES ? EXAMPLES.trend : {};
    onChange({ strategy_type: next.name, parameters: remembered.current[next.name] ?? fresh });
  };
  const value = { draft, change: onChange, input, errors, symbols: known };
  return (
    <FormProvider value={value}>
      <form ref={form} className={classes.columns} onSubmit={(event) => event.preventDefault()} noValidate>
        <div>
          <OtherErrors errors={errors.rest} />
          <div className={classes.sections}>
            <Section number={1} title={t('new.s_strategy')}>
              <StrategyPicker
                strategies={strategies}
                refused={refused}
                value={draft.strategy_type}
                onChange={choose}
              />
            </Section>
            <Section number={2} title={t('new.s_parameters')}>
              <ParameterFields key={draft.strategy_type} fields={fields} draft={draft} onChange={onChange} />
            </Section>
            <Section number={3} title={t('new.s_universe')}>
              <UniverseFields
                period={period}
                clamps={clamps}
                outside={outside}
                loading={symbols === undefined}
              />
            </Section>
            <Section number={4} title={t('new.s_costs')}>
              <CostFields />
            </Section>
            <Section number={5} title={t('new.s_execution')}>
              <ExecutionFields form={decides} />
            </Section>
          </div>
        </div>
        <SummaryPanel
          sentences={told}
          options={optionsOf(draft, true)}
          answer={answer}
          suggestedName={suggestedName}
          pending={pending}
          ready={ready}
          onSubmit={submit}
          state={
            <SubmitState
              failure={failure}
              unchecked={validation.error instanceof ApiProblem ? validation.error : null}
              checking={validation.isFetching || settled !== input}
              wrong={wrong}
              waits={waits}
              onShowError={showError}
            />
          }
        />
      </form>
    </FormProvider>
  );
}

interface ParameterFieldsProps {
  fields: readonly NamedField[];
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
}

function ParameterFields({ fields, draft, onChange }: ParameterFieldsProps) {
  const whole = useFieldError('/parameters');
  if (draft.strategy_type === RULES) return <RulesEditor fields={fields} />;
  return (
    <>
      {whole && <p className={classes.error}>{whole}</p>}
      <SchemaForm
        fields={fields}
        at="/parameters"
        value={draft.parameters}
        onChange={(parameters) => onChange({ parameters })}
      />
    </>
  );
}

/** How rules decide, which depends on what is written. */
function useRulesForm(draft: Draft): Strategy['form'] {
  const asked = draft.strategy_type === RULES ? draft : null;
  const [settled] = useDebouncedValue(asked, WAIT_MS);
  const report = useRulesCheck(
    settled && { parameters: { ...settled.parameters }, direction: settled.execution.direction },
  ).data;
  return report?.form ?? null;
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** To the first wrong field in the order of the page, out of what hides it. */
function focusFirst(form: HTMLElement | null, pointers: readonly string[]): void {
  const wrong = new Set(pointers);
  const place = [...(form?.querySelectorAll<HTMLElement>('[data-pointer]') ?? [])].find((element) =>
    wrong.has(element.dataset.pointer ?? ''),
  );
  if (!place) {
    form?.scrollIntoView({ block: 'start' });
    return;
  }
  for (let parent = place.parentElement; parent; parent = parent.parentElement) {
    if (parent instanceof HTMLDetailsElement) parent.open = true;
  }
  const inputs = 'input, textarea, button, [tabindex]';
  const target = place.matches(inputs) ? place : (place.querySelector<HTMLElement>(inputs) ?? place);
  target.focus({ preventScroll: true });
  place.scrollIntoView({ block: 'center' });
}
