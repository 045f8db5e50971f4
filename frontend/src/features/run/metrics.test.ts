import { describe, expect, it } from 'vitest';
import type { MetricDefinition } from '@/api';
import { createFormatter, EM_DASH } from '@/lib/format';
import { axisFall, axisMoney, labelStep } from './axis';
import { byGroup, metricText, metricTone } from './metrics';
import { parameterText } from './parameters';
import { withTags } from './TagLine';

const en = createFormatter('en');

describe('a metric as text', () => {
  it.each([
    ['total_return', 'fraction', 0.1234, '+12.3%'],
    ['max_drawdown', 'fraction', -0.45, '−45.0%'],
    ['volatility', 'fraction', 0.279, '27.9%'],
    ['sharpe', 'ratio', 1.132, '1.13'],
    ['psr', 'fraction', 0.9731, '97.3%'],
    ['psr', 'fraction', 0.99949, '99.9%'],
    ['psr', 'fraction', 0.99999, '>99.9%'],
    ['psr', 'fraction', 1, '>99.9%'],
    ['psr', 'fraction', 0, '<0.1%'],
    ['costs_paid', 'money', 15_132.2, '$15,132'],
    ['average_loss', 'money', -38_680.1, '−$38,680'],
    ['trades', 'count', 21, '21'],
    ['holding_days_mean', 'days', 4.53, '4.5'],
    ['holding_days_mean', 'days', 96.04, '96'],
    ['holding_days_mean', 'days', 0.5, '12 h'],
    ['expectancy', 'fraction', -0.0004, '−0.04%'],
    ['expectancy', 'fraction', 0.0123, '+1.2%'],
    ['holding_days_median', 'days', 1 / 72, '20 min'],
    ['max_drawdown_duration_days', 'days', 0, '0'],
  ] as const)('%s %s %s', (name, unit, value, text) => {
    expect(metricText(en, name, unit, value)).toBe(text);
  });

  it('what is undefined is a dash', () => {
    expect(metricText(en, 'sharpe', 'ratio', null)).toBe(EM_DASH);
    expect(metricText(en, 'sharpe', 'ratio', undefined)).toBe(EM_DASH);
  });

  it('only gains and losses have a colour', () => {
    expect(metricTone('cagr', 0.1)).toBe('gain');
    expect(metricTone('cagr', -0.1)).toBe('loss');
    expect(metricTone('cagr', 0)).toBeUndefined();
    expect(metricTone('cagr', -0.0004)).toBeUndefined(); // reads 0.0%
    expect(metricTone('cagr', -0.0006)).toBe('loss');
    expect(metricTone('max_drawdown', -0.4)).toBeUndefined();
  });
});

it('groups keep the order of the definitions and leave out what is not measured', () => {
  const definition = (name: string, group: MetricDefinition['group']) =>
    ({ name, group, unit: 'ratio', headline: true, description: '' }) as MetricDefinition;
  const definitions = [definition('a', 'trades'), definition('b', 'drawdown'), definition('c', 'trades')];
  const groups = byGroup(definitions, { a: 1, c: null });
  expect(groups.map(([group, metrics]) => [group, metrics.map(({ name }) => name)])).toEqual([
    ['trades', ['a', 'c']],
  ]);
});

describe('axes', () => {
  it('money is short, unless all of it would read the same', () => {
    expect(axisMoney(en, [100_000, 200_000])(150_000)).toBe('$150K');
    expect(axisMoney(en, [100_000, 100_000, null])(100_000)).toBe('$100,000');
    expect(axisMoney(en, [])(5)).toBe('$5');
  });

  it('shallow falls have a digit', () => {
    expect(axisFall(en, [0, -0.02])(-0.015)).toBe('−1.5%');
    expect(axisFall(en, [0, -0.4, null])(-0.2)).toBe('−20%');
  });

  it('labels of a histogram stand on round numbers', () => {
    expect(labelStep(0.0025, 56, 10) * 0.0025).toBeCloseTo(0.02);
    expect(labelStep(0.001, 8, 10)).toBe(1);
  });
});

describe('parameters in a line', () => {
  const names = {
    parameter: (name: string) => name,
    choice: (value: string) => `<${value}>`,
  } as Parameters<typeof parameterText>[1];

  it('what is empty is left out', () => {
    expect(parameterText({ fast: 20, signal: 'level', none: null, map: {}, list: [], text: '' }, names)).toBe(
      'fast 20, signal <level>',
    );
  });

  it('a long one is cut', () => {
    const text = parameterText({ entry: `close > ${'9'.repeat(10_000)}` }, names);
    expect(text.length).toBeLessThan(200);
    expect(text.endsWith('…')).toBe(true);
  });
});

it('a tag is added once, without the spaces around it', () => {
  expect(withTags(['a'], ' b ')).toEqual(['a', 'b']);
  expect(withTags(['a'], 'a')).toEqual(['a']);
  expect(withTags(['a'], '  ')).toEqual(['a']);
  expect(withTags([], 'x'.repeat(99))[0]).toHaveLength(50);
});
