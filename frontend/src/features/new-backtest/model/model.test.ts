import { beforeEach, describe, expect, it } from 'vitest';
import type { Strategy } from '@/api';
import { PRESET_NAMES, presetOf, scaled, unscaled, withPreset } from './costs';
import { API_DEFAULTS, NEW_DRAFT, newDraft } from './draft';
import { asCurl, asYaml } from './request';
import { storeDraft, storedDraft } from './storage';
import { kindsOf, searched } from './strategies';
import { isList, matching, nearest, symbolsIn } from './symbols';

describe('costs', () => {
  it('are a preset exactly when nothing else is paid', () => {
    for (const name of PRESET_NAMES) expect(presetOf(withPreset(NEW_DRAFT.costs, name))).toBe(name);
    expect(presetOf(NEW_DRAFT.costs)).toBe('typical');
    expect(presetOf({ ...API_DEFAULTS.costs, borrow_rate: 0.02 })).toBe('none');
    expect(presetOf({ ...API_DEFAULTS.costs, commission_fixed: 1 })).toBeNull();
    expect(presetOf({ ...API_DEFAULTS.costs, slippage_bps: 7 })).toBeNull();
    expect(withPreset({ ...API_DEFAULTS.costs, borrow_rate: 0.02, commission_min: 1 }, 'low')).toMatchObject({
      borrow_rate: 0.02,
      commission_min: 0,
    });
  });

  it('are kept as they are written', () => {
    expect(scaled(10, 1e-4)).toBe(0.001);
    expect(scaled(0.3, 1e-2)).toBe(0.003);
    expect(unscaled(0.07, 1e-2)).toBe(7);
  });
});

describe('symbols', () => {
  const known = new Set(['AAPL', 'BRK.B', 'aal', 'GOOG']);

  it('are read from any list', () => {
    expect(symbolsIn('aapl, "BRK.B";$GOOG\nXYZ aapl  ?? aal', known)).toEqual([
      'AAPL',
      'BRK.B',
      'GOOG',
      'XYZ',
      'aal',
    ]);
    expect(isList('AAPL MSFT')).toBe(true);
    expect(isList('  AAPL ')).toBe(false);
  });

  it('are found by any part, those that begin with it first', () => {
    const items = ['XAA', 'AAPL', 'MSFT', 'AAL'].map((symbol) => ({ symbol }));
    expect(matching(items, 'aa').map((one) => one.symbol)).toEqual(['AAPL', 'AAL', 'XAA']);
    expect(matching(items, ' ')).toHaveLength(4);
  });

  it('that are a slip of another one find it', () => {
    for (const slip of ['AAPLE', 'AAP', 'APAL', 'AAPK', 'aapl'])
      expect(nearest(slip, ['IBM', 'AAPL'])).toBe('AAPL');
    expect(nearest('MSFT', ['IBM', 'AAPL'])).toBeNull();
  });
});

describe('strategies', () => {
  const of = (name: string, kind: string, summary: string) =>
    ({ name, kind, summary, source: '', plugin: null }) as unknown as Strategy;
  const all = [
    of('sma', 'trend', 'Averages of the close.'),
    of('rsi', 'reversion', 'Buys oversold.'),
    of('ema', 'trend', 'x'),
  ];

  it('are found by words in any order, and by kind', () => {
    const said = (one: Strategy) => (one.name === 'sma' ? '이동평균 교차' : '');
    expect(searched(all, 'CLOSE averages', null, said).map((one) => one.name)).toEqual(['sma']);
    expect(searched(all, '교차', null, said).map((one) => one.name)).toEqual(['sma']);
    expect(searched(all, '', 'trend', said).map((one) => one.name)).toEqual(['sma', 'ema']);
    expect(kindsOf(all)).toEqual(['trend', 'reversion']);
  });
});

describe('a request', () => {
  const input = { name: "It's 5", strategy_type: 'macd', symbols: ['AAPL'], parameters: { fast: 12 } };

  it('is a command that a shell reads as it is meant', () => {
    const text = asCurl(input, { priority: 'high', wait_for_data: true }, 'http://localhost:8000');
    expect(text).toContain(
      "curl -X POST 'http://localhost:8000/api/v1/backtests?priority=high&wait_for_data=true'",
    );
    expect(text).toContain(`"name": "It'\\''s 5"`);
    expect(asCurl(input, {}, 'http://x').split('\n')[0]).toBe("curl -X POST 'http://x/api/v1/backtests' \\");
  });

  it('is a file for the command line', () => {
    expect(asYaml(input)).toBe(
      'name: "It\'s 5"\nstrategy_type: macd\nsymbols: [AAPL]\nparameters:\n  fast: 12',
    );
  });
});

describe('a kept draft', () => {
  beforeEach(() => sessionStorage.clear());

  it('comes back, one for every run that is edited', () => {
    const draft = { ...newDraft(['AAPL']), name: 'mine' };
    storeDraft(draft);
    expect(storedDraft()).toEqual(draft);
    expect(storedDraft('bt-1')).toBeNull();
    storeDraft(null);
    expect(storedDraft()).toBeNull();
  });

  it('of another shape does no harm', () => {
    for (const text of [
      '{',
      '[]',
      '{"strategy_type":"x"}',
      '{"strategy_type":"x","symbols":[1],"tags":[],"parameters":{}}',
    ]) {
      sessionStorage.setItem('backproof.draft.1', text);
      expect(storedDraft()).toBeNull();
    }
    const old = {
      strategy_type: 'macd',
      symbols: ['A'],
      tags: [],
      parameters: {},
      execution: { fill: 'next_close' },
      costs: 3,
    };
    sessionStorage.setItem('backproof.draft.1', JSON.stringify(old));
    expect(storedDraft()).toMatchObject({
      strategy_type: 'macd',
      execution: { fill: 'next_close', direction: 'long_only', sizing: { type: 'percent_equity' } },
      costs: NEW_DRAFT.costs,
    });
  });
});
