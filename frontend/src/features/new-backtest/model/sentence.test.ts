import i18next, { type TFunction } from 'i18next';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Strategy } from '@/api';
import en from '@/i18n/en/new.json';
import enWords from '@/i18n/en/words.json';
import ko from '@/i18n/ko/new.json';
import koWords from '@/i18n/ko/words.json';
import { createFormatter } from '@/lib/format';
import type { Names } from '@/lib/names';
import { API_DEFAULTS, type Draft, newDraft, RULES } from './draft';
import { sentences } from './sentence';

const strategy = {
  name: 'sma_crossover',
  defaults: { fast: 20, slow: 50, signal: 'level' },
} as unknown as Strategy;
const full: Draft = {
  ...newDraft(['AAPL', 'SPX']),
  symbols: ['AAPL', 'IBM', 'MSFT', 'GOOG', 'FB'],
  parameters: { fast: 10 },
  execution: {
    ...API_DEFAULTS.execution,
    fill: 'same_close',
    direction: 'long_short',
    max_leverage: 2,
    fractional_shares: false,
    price_mode: 'raw',
    dividends: 'reinvest',
  },
  costs: {
    ...API_DEFAULTS.costs,
    commission_rate: 0.001,
    commission_min: 1,
    slippage_bps: 2,
    borrow_rate: 0.02,
  },
  risk: { ...API_DEFAULTS.risk, stop_loss: 0.08, trailing_stop: 0.12 },
};

function tell(language: 'en' | 'ko', draft: Draft, form: Strategy['form'] = 'signals') {
  const t = i18next.getFixedT(language) as TFunction;
  const word = (key: string) => (t as (key: string) => string)(key);
  const names = {
    strategy: (name) => word(`strategy.${name}`),
    parameter: (name) => word(`param.${name}`),
    choice: (value) => word(`enum.${value}`),
  } as Names;
  const told = sentences(draft, {
    t,
    f: createFormatter(language),
    names,
    hint: word(`strategy_hint.${draft.strategy_type}`),
    strategy,
    form,
    period: { start: '2005-01-03', end: null },
    range: { first: '2000-03-01', last: '2013-03-01' },
  });
  return told.map((one) => `${one.strong ?? ''}${one.code ? ' ' : ''}${one.text}`).join(' ');
}

beforeAll(() =>
  i18next.init({
    lng: 'en',
    resources: {
      en: { translation: { ...enWords, ...en } },
      ko: { translation: { ...koWords, ...ko } },
    },
    interpolation: { escapeValue: false },
  }),
);

describe('the paragraph', () => {
  it('says what a plain run does', () => {
    expect(tell('en', newDraft(['AAPL', 'SPX']))).toBe(
      'SMA crossover (Fast average 20, Slow average 50, Signal level). Long while the fast average is above the slow one. ' +
        'AAPL; daily bars, Jan 3, 2005 to Mar 1, 2013. Decided at the close, filled at the next open: no look-ahead. ' +
        'Start with $100,000. Each fill costs 10 bps of commission, 2 bps of slippage. Compared with SPX.',
    );
  });

  it('says everything that is set', () => {
    const text = tell('en', full);
    for (const part of [
      'Fast average 10',
      'AAPL, IBM, MSFT, GOOG, and 1 more',
      'Optimistic',
      'Long and short positions.',
      'Each entry takes 1/5 of equity. Exposure up to 2 times equity. Whole shares only.',
      'dividends are reinvested',
      'Out at a loss of 8%, 12% below the best price.',
      '10 bps of commission, at least $1, 2 bps of slippage. Short positions pay 2% per year.',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('is whole in Korean too', () => {
    const text = tell('ko', full);
    expect(text).toContain('SMA 교차 (단기 이동평균 10, 장기 이동평균 50, 신호 방식 수준).');
    expect(text).toContain('손실 8%, 최고가 대비 −12%');
    expect(text).not.toMatch(/\{\{|new\.|을\(를\)|[a-z]{4,}/);
  });

  it('shows rules as they are written, and no size where weights decide', () => {
    const rules = { ...full, strategy_type: RULES, parameters: { rank: 'roc(close, 126)', top: 2 } };
    expect(tell('en', rules, 'weights')).toMatch(/^Your own rules\. Rank roc\(close, 126\) AAPL/);
    expect(tell('en', rules, 'weights')).not.toContain('Each entry');
  });

  it('does not hide that nothing is paid', () => {
    expect(tell('en', { ...full, costs: API_DEFAULTS.costs })).toContain('Fills cost nothing.');
    expect(tell('en', { ...full, symbols: [] })).toContain('No symbol yet');
  });
});
