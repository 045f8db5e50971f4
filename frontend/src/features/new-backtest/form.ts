import { createContext, useContext } from 'react';
import type { BacktestInput, SymbolInfo } from '@/api';
import { useErrorText as useErrorTextFor } from '@/lib/error-text';
import type { Draft } from './model/draft';
import type { Sorted } from './model/pointers';

/** What every field of the form can reach. */
export interface Form {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  /** The body that would be submitted now. */
  input: BacktestInput;
  errors: Sorted;
  /** Symbols of the chosen source and timeframe, by name. */
  symbols: ReadonlyMap<string, SymbolInfo>;
}

/** Of one field at once: a list of a hundred wrong symbols is no help. */
const MOST_ERRORS = 3;

const FormContext = createContext<Form | null>(null);
export const FormProvider = FormContext.Provider;

export function useForm(): Form {
  const form = useContext(FormContext);
  if (!form) throw new Error('no form around this field');
  return form;
}

/** What the server has against a field, in one text; undefined when it has nothing. */
export function useFieldError(pointer: string): string | undefined {
  const { errors } = useForm();
  const say = useErrorText();
  const found = errors.byField.get(pointer);
  return found ? [...new Set(found.map(say))].slice(0, MOST_ERRORS).join(' ') : undefined;
}

/** What is wrong with the form as it is, in the reader's language. */
export const useErrorText = () => useErrorTextFor(useForm().input);
