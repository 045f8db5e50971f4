import {
  type CSSVariablesResolver,
  createTheme,
  defaultVariantColorsResolver,
  type MantineColorsTuple,
  type VariantColorsResolver,
} from '@mantine/core';

const iris: MantineColorsTuple = [
  '#f3f1fd',
  '#e4e0fa',
  '#c9c2f3',
  '#aca1ec',
  '#9184e4',
  '#7868da',
  '#6555cf',
  '#5746c9',
  '#4a3ab0',
  '#3d2f93',
];

/** Mantine's own greys in dark mode, moved onto the tokens' cooler scale. */
const dark: MantineColorsTuple = [
  '#e9ebef',
  '#b9c0cb',
  '#929aa8',
  '#6b7482',
  '#3c4452',
  '#242a34',
  '#1a1e26',
  '#13161c',
  '#0f1217',
  '#0c0e12',
];

/** Filled buttons are ink, not hue: colour stays free for money and state. */
const variantColorResolver: VariantColorsResolver = (input) => {
  const resolved = defaultVariantColorsResolver(input);
  const neutral = input.color === undefined || input.color === input.theme.primaryColor;
  if (input.variant === 'filled' && neutral) {
    return { ...resolved, background: 'var(--ink)', hover: 'var(--text-2)', color: 'var(--on-ink)' };
  }
  if (input.variant === 'subtle' && neutral) {
    return { ...resolved, color: 'var(--text-2)', hover: 'var(--surface-2)', hoverColor: 'var(--text)' };
  }
  if (input.variant === 'danger') {
    return {
      background: 'var(--surface)',
      hover: 'var(--danger-soft)',
      color: 'var(--danger)',
      border: '1px solid var(--danger-line)',
    };
  }
  return resolved;
};

export const cssVariablesResolver: CSSVariablesResolver = () => {
  const shared = {
    '--mantine-color-body': 'var(--surface)',
    '--mantine-color-text': 'var(--text)',
    '--mantine-color-dimmed': 'var(--text-3)',
    '--mantine-color-placeholder': 'var(--text-3)',
    '--mantine-color-default': 'var(--surface)',
    '--mantine-color-default-hover': 'var(--surface-2)',
    '--mantine-color-default-color': 'var(--text)',
    '--mantine-color-default-border': 'var(--line-strong)',
    '--mantine-color-error': 'var(--danger)',
    '--mantine-color-anchor': 'var(--accent)',
  };
  return { variables: {}, light: shared, dark: shared };
};

const compact = { defaultProps: { size: 'xs' } };

export const theme = createTheme({
  primaryColor: 'iris',
  primaryShade: { light: 7, dark: 4 },
  colors: { iris, dark },
  autoContrast: true,
  fontFamily: 'var(--font)',
  fontFamilyMonospace: 'var(--mono)',
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  radius: { xs: '4px', sm: '6px', md: '6px', lg: '8px', xl: '12px' },
  defaultRadius: 'sm',
  variantColorResolver,
  components: {
    Button: { defaultProps: { size: 'xs', variant: 'filled' }, styles: { label: { fontWeight: 560 } } },
    ActionIcon: { defaultProps: { variant: 'subtle', size: 'md' } },
    TextInput: compact,
    NumberInput: compact,
    Select: { defaultProps: { size: 'xs', checkIconPosition: 'right', allowDeselect: false } },
    MultiSelect: compact,
    Checkbox: { defaultProps: { size: 'xs' } },
    Switch: compact,
    SegmentedControl: compact,
    Tooltip: { defaultProps: { openDelay: 250, multiline: true, maw: 300, fz: 12, color: 'dark' } },
    // Locking the page's scroll would write a style element; base.css does it.
    Modal: { defaultProps: { lockScroll: false } },
    Menu: { defaultProps: { shadow: 'md', position: 'bottom-end' } },
    Popover: { defaultProps: { shadow: 'md' } },
  },
});
