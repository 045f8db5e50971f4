import { MantineProvider } from '@mantine/core';
import { cleanup, configure, fireEvent, render, screen } from '@testing-library/react';
import i18next from 'i18next';
import { useState } from 'react';
import { initReactI18next } from 'react-i18next';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import en from '@/i18n/en/new.json';
import words from '@/i18n/en/words.json';
import type { Wrong } from '@/lib/error-text';
import { type Form, FormProvider } from '../form';
import { NEW_DRAFT } from '../model/draft';
import { sorted } from '../model/pointers';
import { fieldsOf } from '../model/schema';
import { SchemaForm } from './SchemaForm';

const FIELDS = fieldsOf({
  properties: {
    fast: {
      type: 'integer',
      minimum: 1,
      maximum: 5000,
      default: 20,
      description: 'Bars of the fast average.',
    },
    signal: { enum: ['level', 'cross'], default: 'level' },
    stop: { anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'null' }], default: null },
    both: { type: 'boolean', default: false },
    weights: { type: 'object', additionalProperties: { type: 'number' }, default: {} },
  },
});

// asking jsdom what is visible takes seconds
configure({ defaultHidden: true });
beforeAll(async () => {
  vi.stubGlobal('matchMedia', () => ({
    matches: false,
    addEventListener: () => {},
    removeEventListener: () => {},
  }));
  vi.stubGlobal(
    'ResizeObserver',
    class {
      observe() {}
      unobserve() {}
      disconnect() {}
    },
  );
  await i18next
    .use(initReactI18next)
    .init({ lng: 'en', resources: { en: { translation: { ...words, ...en } } } });
});
afterEach(cleanup);

function show(first: Record<string, unknown> = {}, errors: Wrong[] = []) {
  const seen: Record<string, unknown>[] = [];
  function Page() {
    const [value, setValue] = useState(first);
    const form: Form = {
      draft: { ...NEW_DRAFT, symbols: ['AAPL', 'IBM'] },
      change: () => {},
      input: { name: 'x', strategy_type: 'x', symbols: [], parameters: value },
      errors: sorted(errors, new Set(['/parameters/fast'])),
      symbols: new Map(),
    };
    return (
      <MantineProvider env="test">
        <FormProvider value={form}>
          <SchemaForm
            fields={FIELDS}
            at="/parameters"
            value={value}
            onChange={(next) => {
              seen.push(next);
              setValue(next);
            }}
          />
        </FormProvider>
      </MantineProvider>
    );
  }
  render(<Page />);
  return seen;
}

const type = (label: string, value: string) =>
  fireEvent.change(screen.getByLabelText(label), { target: { value } });

describe('a form made of a JSON Schema', { timeout: 30_000 }, () => {
  it('has a labelled field for every property, with its default', () => {
    show();
    expect((screen.getByLabelText('Fast average') as HTMLInputElement).value).toBe('20');
    expect(screen.getByText(/Bars of the fast average/).textContent).toContain('Default 20');
    expect(screen.getByRole('radio', { name: 'level' })).toHaveProperty('checked', true);
    expect((screen.getByLabelText('Stop') as HTMLInputElement).placeholder).toBe('none');
    expect(screen.queryByRole('button', { name: /Reset/ })).toBeNull();
  });

  it('keeps what was changed, and forgets it on the way back', () => {
    const seen = show();
    type('Fast average', '35');
    expect(seen.at(-1)).toEqual({ fast: 35 });
    fireEvent.click(screen.getByRole('button', { name: 'Reset Fast average' }));
    expect(seen.at(-1)).toEqual({});
    type('Fast average', '20');
    expect(seen.at(-1)).toEqual({});
    fireEvent.click(screen.getByRole('radio', { name: 'cross' }));
    fireEvent.click(screen.getByRole('switch', { name: /Both/ }));
    expect(seen.at(-1)).toEqual({ signal: 'cross', both: true });
  });

  it('takes an emptied field for its default, or for none', () => {
    const seen = show({ fast: 35, stop: 2 });
    type('Fast average', '');
    expect(seen.at(-1)).toEqual({ stop: 2 });
    type('Stop', '');
    expect(seen.at(-1)).toEqual({});
  });

  it('says which numbers are allowed before the server does, and then what the server says', () => {
    show({}, [{ pointer: '/parameters/fast', code: 'x', message: 'fast (20) is odd' }]);
    expect(screen.getByText('Fast (20) is odd.')).toBeTruthy();
    type('Fast average', '6000');
    expect(screen.getByText('Between 1 and 5000')).toBeTruthy();
    expect(screen.queryByText('Fast (20) is odd.')).toBeNull();
  });

  it('keeps what was typed, and says at the field why it is not allowed', () => {
    const seen = show();
    const fast = screen.getByLabelText('Fast average') as HTMLInputElement;
    type('Fast average', '-');
    expect(fast.value).toBe('-');
    type('Fast average', '-5');
    expect(fast.value).toBe('-5');
    expect(seen.at(-1)).toEqual({ fast: -5 });
    expect(screen.getByText('Between 1 and 5000')).toBeTruthy();
    type('Fast average', '2.5');
    expect(fast.value).toBe('2.5');
    expect(screen.getByText('A whole number')).toBeTruthy();
    type('Fast average', '');
    expect(fast.value).toBe('');
    fireEvent.blur(fast);
    expect(fast.value).toBe('20');
  });

  it('offers the symbols of the run as names of weights', () => {
    const seen = show();
    fireEvent.click(screen.getByRole('button', { name: 'Add to Weights' }));
    expect(seen.at(-1)).toEqual({ weights: { AAPL: 0.1 } });
    fireEvent.click(screen.getByRole('button', { name: 'Add to Weights' }));
    type('Value of IBM', '0.75');
    expect(seen.at(-1)).toEqual({ weights: { AAPL: 0.1, IBM: 0.75 } });
    type('Name 2', 'AAPL');
    expect(screen.getByText('This name is taken')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Remove AAPL' }));
    expect(seen.at(-1)).toEqual({ weights: { IBM: 0.75 } });
  });
});
