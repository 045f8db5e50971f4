import { Input, SegmentedControl, Select } from '@mantine/core';
import { type ReactNode, useId } from 'react';
import { useFieldError } from '../form';

export interface Option {
  value: string;
  label: string;
}

interface ChoiceFieldProps {
  pointer: string;
  label: string;
  value: string;
  options: readonly Option[];
  onChange: (value: string) => void;
  hint?: ReactNode;
}

/** Two short answers side by side, others in a list. */
const SEGMENTS = 2;
const LONGEST = 12;
const ORDER: ('label' | 'input' | 'error' | 'description')[] = ['label', 'input', 'error', 'description'];

export function ChoiceField({ pointer, label, value, options, onChange, hint }: ChoiceFieldProps) {
  const labelId = useId();
  const error = useFieldError(pointer);
  const short = options.length === SEGMENTS && options.every((option) => option.label.length <= LONGEST);
  if (!short) {
    return (
      <Select
        data-pointer={pointer}
        label={label}
        data={[...options]}
        value={value}
        onChange={(next) => next !== null && onChange(next)}
        error={error}
        description={hint}
        inputWrapperOrder={ORDER}
      />
    );
  }
  return (
    <Input.Wrapper
      data-pointer={pointer}
      size="xs"
      label={label}
      labelElement="div"
      labelProps={{ id: labelId }}
      error={error}
      description={hint}
      inputWrapperOrder={ORDER}
    >
      <SegmentedControl
        fullWidth
        mb={hint || error ? 5 : 0}
        aria-labelledby={labelId}
        data={[...options]}
        value={value}
        onChange={onChange}
      />
    </Input.Wrapper>
  );
}
