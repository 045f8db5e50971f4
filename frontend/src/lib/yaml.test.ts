import { describe, expect, it } from 'vitest';
import { toYaml, withUsed } from './yaml';

describe('YAML', () => {
  it('writes a configuration as people do', () => {
    const text = toYaml({
      name: 'SMA on Apple',
      symbols: ['AAPL', 'BRK.B'],
      start_date: '2005-01-03',
      costs: { commission_rate: 0.001 },
      parameters: {},
    });
    expect(text).toBe(
      'name: SMA on Apple\nsymbols: [AAPL, BRK.B]\nstart_date: 2005-01-03\ncosts:\n  commission_rate: 0.001\nparameters: {}',
    );
  });

  it('quotes what would be read as something else', () => {
    expect(
      toYaml({ a: '123', b: 'true', c: 'ON', d: '1e5', e: 'x: y', f: '^GSPC', g: 'end ', h: 'it\n"is"' }),
    ).toBe('a: "123"\nb: "true"\nc: "ON"\nd: "1e5"\ne: "x: y"\nf: "^GSPC"\ng: "end "\nh: "it\\n\\"is\\""');
    expect(toYaml({ weights: { '^GSPC': 0.5, '005930': 0.5 } })).toBe(
      'weights:\n  "^GSPC": 0.5\n  "005930": 0.5',
    );
  });

  it('says beside what is open what was taken for it', () => {
    const text = toYaml({ start_date: null, end_date: '2013-03-01', costs: { start_date: null } });
    expect(withUsed(text, { start_date: 'first bar 2000-03-01', end_date: 'last bar 2013-03-01' })).toBe(
      'start_date: null  # first bar 2000-03-01\nend_date: 2013-03-01\ncosts:\n  start_date: null',
    );
    expect(withUsed(text, { start_date: undefined })).toBe(text);
  });

  it('writes what is nested in lists as JSON', () => {
    expect(toYaml({ levels: [[1, 2], { a: null }] })).toBe('levels: [[1,2], {"a":null}]');
  });
});
