import { describe, expect, it } from 'vitest';
import { createFormatter, EM_DASH } from './format';

const en = createFormatter('en');
const ko = createFormatter('ko');

describe('numbers', () => {
  it('a return carries its sign, a true minus, and no decimals from 1,000 %', () => {
    expect(en.percent(8.224, { signed: true })).toBe('+822.4%');
    expect(en.percent(-0.033, { signed: true })).toBe('−3.3%');
    expect(en.percent(12.34, { signed: true })).toBe('+1,234%');
    expect(en.percent(-0.45)).toBe('−45.0%');
    expect(en.percent(25_287_848, { signed: true })).toBe('+2.5B%');
    expect(ko.percent(25_287_848)).toBe('25.3억%');
    expect(en.number(-0.001)).toBe('0.00');
    expect(en.percent(-0.0001, { signed: true })).toBe('0.0%');
  });

  it('what has no value is a dash, never 0 or NaN', () => {
    for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(en.number(value)).toBe(EM_DASH);
      expect(en.percent(value)).toBe(EM_DASH);
      expect(en.money(value)).toBe(EM_DASH);
    }
    expect(en.duration(null)).toBe(EM_DASH);
  });

  it('money is whole, compact on axes, in Korean in units of 10,000', () => {
    expect(en.money(922_427.4)).toBe('$922,427');
    expect(en.money(2_528_784_972_726)).toBe('$2.5T');
    expect(en.money(1_200_000, { compact: true })).toBe('$1.2M');
    expect(ko.money(1_200_000, { compact: true })).toBe('$120만');
  });
});

describe('times', () => {
  it.each([
    [0.0004, '1 ms', '1ms'],
    [0.0423, '42 ms', '42ms'],
    [0.0997, '0.1 s', '0.1초'],
    [1.26, '1.3 s', '1.3초'],
    [9.97, '10 s', '10초'],
    [59.7, '1 min', '1분'],
    [119.9, '2 min', '2분'],
    [125, '2 min 5 s', '2분 5초'],
    [3600, '1 h', '1시간'],
    [86_400, '24 h', '24시간'],
    [90 * 86_400, '90 d', '90일'],
  ])('%s seconds', (seconds, english, korean) => {
    expect(en.duration(seconds)).toBe(english);
    expect(ko.duration(seconds)).toBe(korean);
  });

  it('tables have ISO dates, sentences the ones of the language', () => {
    expect(en.isoDate('2005-01-03')).toBe('2005-01-03');
    expect(en.date('2005-01-03')).toBe('Jan 3, 2005');
    expect(ko.date('2005-01-03')).toBe('2005년 1월 3일');
  });

  it('ages are relative', () => {
    const now = Date.parse('2026-01-02T12:00:00Z');
    expect(en.ago('2026-01-02T11:36:00Z', now)).toBe('24m ago');
    expect(ko.ago('2026-01-02T09:00:00Z', now)).toBe('3시간 전');
  });
});

it('sizes are in the unit in which they are short', () => {
  expect(en.bytes(1_000_000)).toBe('1 MB');
  expect(en.bytes(2_500_000_000)).toBe('2.5 GB');
});
