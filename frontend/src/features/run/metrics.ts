import type { MetricDefinition } from '@/api';
import { EM_DASH, type Formatter } from '@/lib/format';
import { toneOfReturn } from '@/lib/metrics';

export type Unit = MetricDefinition['unit'];
export type Values = Readonly<Record<string, number | null>>;

/** Gains and losses: with a sign, and in the colour of money. Other fractions have a fixed sign that says nothing. */
const SIGNED = new Set([
  'total_return',
  'annual_return',
  'cagr',
  'expectancy',
  'alpha',
  'benchmark_return',
  'best_period',
  'worst_period',
  'average_win',
  'average_loss',
  'largest_win',
  'largest_loss',
]);

export const isSigned = (name: string): boolean => SIGNED.has(name);

/** Told in hours or minutes, with their own words. */
export const isPartOfADay = (days: number): boolean => days > 0 && days < 1;

export function metricText(f: Formatter, name: string, unit: Unit, value: number | null | undefined): string {
  if (value === null || value === undefined) return EM_DASH;
  if (name === 'psr') return likely(f, value);
  switch (unit) {
    case 'fraction': {
      // What a trade makes on average is often less than a tenth of a percent.
      const fine = name === 'expectancy' && Math.abs(value) < 0.01;
      return f.percent(value, { signed: isSigned(name), ...(fine && { digits: 2 }) });
    }
    case 'money':
      return f.money(value, { signed: isSigned(name) });
    case 'count':
      return f.integer(value);
    case 'days':
      if (isPartOfADay(value)) return f.duration(value * 86_400);
      return f.number(value, Number.isInteger(value) || value >= 10 ? 0 : 1);
    case 'bars':
      return f.number(value, Number.isInteger(value) || value >= 10 ? 0 : 1);
    case 'ratio':
      return f.number(value);
  }
}

/** A probability is never certain: neither 100 % nor 0 %. */
function likely(f: Formatter, value: number): string {
  if (value >= 1 - LEAST_SHOWN / 2) return `>${f.percent(1 - LEAST_SHOWN)}`;
  return value < LEAST_SHOWN / 2 ? `<${f.percent(LEAST_SHOWN)}` : f.percent(value);
}
const LEAST_SHOWN = 0.001;

export function metricTone(name: string, value: number | null | undefined): 'gain' | 'loss' | undefined {
  return isSigned(name) ? toneOfReturn(value) : undefined;
}

/** Metrics by group, in the order of the definitions, those that `values` has. */
export function byGroup(
  definitions: readonly MetricDefinition[],
  values: Values,
): [MetricDefinition['group'], MetricDefinition[]][] {
  const groups = new Map<MetricDefinition['group'], MetricDefinition[]>();
  for (const definition of definitions) {
    if (!(definition.name in values)) continue;
    groups.set(definition.group, [...(groups.get(definition.group) ?? []), definition]);
  }
  return [...groups];
}
