import {
  convertCssVariables,
  DEFAULT_THEME,
  defaultCssVariablesResolver,
  mergeMantineTheme,
} from '@mantine/core';
import { expect, it } from 'vitest';
import { cssVariablesResolver, theme } from './theme';

type Scope = 'variables' | 'light' | 'dark';

/** The provider would write this into a style element, which the content security policy refuses. */
it('the stylesheet holds what the theme says (remake it with: npm test -- -u)', async () => {
  const merged = mergeMantineTheme(DEFAULT_THEME, theme);
  const known: Record<Scope, Record<string, string>> = defaultCssVariablesResolver(DEFAULT_THEME);
  const [base, own] = [defaultCssVariablesResolver(merged), cssVariablesResolver(merged)];
  const changed = (scope: Scope) =>
    Object.fromEntries(
      Object.entries({ ...base[scope], ...own[scope] }).filter(
        ([name, value]) => known[scope][name] !== value,
      ),
    );
  const css = convertCssVariables({
    variables: changed('variables'),
    light: changed('light'),
    dark: changed('dark'),
  });
  const readable = css.replaceAll(/([{;])\s*/g, '$1\n').replaceAll('}', '}\n');
  await expect(`/* Made from theme.ts by mantine-variables.test.ts. */\n${readable}`).toMatchFileSnapshot(
    './mantine-variables.css',
  );
});
