import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api, body } from './client';
import { keys } from './keys';
import type { Schema } from './types';

const FOREVER = { staleTime: Number.POSITIVE_INFINITY } as const;

/** All strategies with the JSON Schema of their parameters; `refused` are plug-ins that cannot be run. */
export const useStrategies = () =>
  useQuery({
    ...FOREVER,
    queryKey: keys.strategies,
    queryFn: ({ signal }) => body(api.GET('/api/v1/strategies', { signal })),
  });

/** Mistakes in rules with line, column and suggestion. Give it a debounced text; `null` asks nothing. */
export const useRulesCheck = (rules: Schema<'RulesCheckIn'> | null) =>
  useQuery({
    queryKey: keys.rules('check', rules),
    enabled: rules !== null,
    queryFn: ({ signal }) =>
      body(api.POST('/api/v1/strategies/rules/check', { body: rules as Schema<'RulesCheckIn'>, signal })),
    placeholderData: keepPreviousData,
  });

/** Words of the language of rules, for an editor. */
export const useRuleCompletions = () =>
  useQuery({
    ...FOREVER,
    queryKey: keys.rules('completions'),
    queryFn: async ({ signal }) =>
      (await body(api.GET('/api/v1/strategies/rules/completions', { signal }))).items,
  });
