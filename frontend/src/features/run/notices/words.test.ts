import { describe, expect, it } from 'vitest';
import type { Notice } from '@/api';
import { bySeriousness, noticeValues, toneOfNotice } from './words';

const notice = (code: string, details: Notice['details'] = {}): Notice => ({ code, message: code, details });

it('the worst is read first', () => {
  const codes = ['data_note', 'few_trades', 'insolvent', 'unheard_of', 'no_costs'];
  expect(bySeriousness(codes.map((code) => notice(code))).map(({ code }) => code)).toEqual([
    'insolvent',
    'few_trades',
    'no_costs',
    'data_note',
    'unheard_of',
  ]);
  expect(toneOfNotice('unheard_of')).toBe('info');
});

describe('what sentences may name', () => {
  it('symbols, at most five of them, and how many', () => {
    expect(noticeValues(notice('delisted', { symbols: ['A', 'B'] }))).toMatchObject({
      symbols: 'A, B',
      count: 2,
    });
    const many = ['A', 'B', 'C', 'D', 'E', 'F', 'G'];
    expect(noticeValues(notice('delisted', { symbols: many })).symbols).toBe('A, B, C, D, E +2');
  });

  it('counts by symbol are added up', () => {
    expect(noticeValues(notice('dropped_entries', { symbols: { A: 2, B: 3 } }))).toMatchObject({
      symbols: 'A, B',
      count: 5,
    });
    expect(
      noticeValues(notice('gaps', { missing: { A: 4 }, long_gaps: [['2020-01-01', '2020-02-01']] })),
    ).toMatchObject({ count: 4, gaps: 1 });
  });

  it('fractions as the percents that they are', () => {
    const fields = { '/risk_free_rate': 5, '/costs/commission_rate': 0.07 };
    expect(noticeValues(notice('likely_percent', { fields })).fields).toBe(
      'risk_free_rate = 500%, costs.commission_rate = 7%',
    );
  });

  it('nothing, where there is nothing', () => {
    expect(noticeValues(notice('few_trades'))).toMatchObject({ count: 0, symbols: '', gaps: 0, date: '' });
    expect(noticeValues(notice('few_trades', { trades: 21 })).count).toBe(21);
    expect(noticeValues(notice('margin_call', { bars: [3, 9] })).count).toBe(2);
    expect(noticeValues(notice('odd', { symbols: 7, date: 9, symbol: null }))).toMatchObject({ symbol: '' });
  });
});
