import { describe, expect, it } from 'vitest';
import { partsOf, valueAt } from '@/lib/error-text';
import { onlyDataIsMissing, pointerTo, shownFields, sorted, withOutside } from './pointers';

const fields = shownFields(['/parameters/fast', '/parameters/weights', '/parameters/weights/AAPL']);
const wrong = (pointer: string, code = 'x') => ({ pointer, code, message: 'm' });

describe('errors by pointer', () => {
  it('go to the field that shows them, the deepest one', () => {
    const { byField, rest } = sorted(
      [
        wrong('/parameters/fast'),
        wrong('/parameters/weights/AAPL'),
        wrong('/parameters/weights/IBM'),
        wrong('/symbols/3'),
        wrong('/symbols'),
        wrong('/costs/slippage_bps'),
        wrong('/execution/sizing/value'),
        wrong('/tags/0'),
        wrong('/parameters'),
        wrong('/priority'),
      ],
      fields,
    );
    expect([...byField.keys()]).toEqual([
      '/parameters/fast',
      '/parameters/weights/AAPL',
      '/parameters/weights',
      '/symbols',
      '/costs/slippage_bps',
      '/execution/sizing/value',
      '/tags',
      '/parameters',
      '/priority',
    ]);
    expect(byField.get('/symbols')).toHaveLength(2);
    expect(rest).toEqual([]);
  });

  it('without a field stand at the top', () => {
    const { byField, rest } = sorted(
      [
        wrong(''),
        wrong('/parameters/zz'),
        wrong('/execution'),
        wrong('/fastest'),
        wrong('/parameters/faster'),
      ],
      fields,
    );
    expect(byField.size).toBe(0);
    expect(rest.map((one) => one.pointer)).toEqual([
      '',
      '/parameters/zz',
      '/execution',
      '/fastest',
      '/parameters/faster',
    ]);
  });

  it('a day outside the data is wrong once, whatever the server says of it', () => {
    const outside = [{ edge: 'start', side: 'after', wanted: '2014-05-01', day: '2013-03-01' }] as const;
    const found = [wrong('/start_date', 'outside_the_data'), wrong('', 'no_bars'), wrong('/name', 'blank')];
    const all = withOutside(found, outside);
    expect(all.map((one) => one.pointer)).toEqual(['/start_date', '/name']);
    expect(sorted(all, fields).byField.get('/start_date')).toHaveLength(1);
    expect(onlyDataIsMissing(withOutside([], outside))).toBe(true);
    expect(withOutside(found, [])).toEqual(found);
  });

  it('may all be about data that can still come', () => {
    expect(
      onlyDataIsMissing([wrong('/symbols/0', 'unknown_symbol'), wrong('/start_date', 'outside_the_data')]),
    ).toBe(true);
    expect(onlyDataIsMissing([wrong('/symbols/0', 'unknown_symbol'), wrong('/name', 'blank')])).toBe(false);
    expect(onlyDataIsMissing([])).toBe(false);
  });
});

describe('pointers', () => {
  it('are RFC 6901', () => {
    expect(pointerTo('parameters', 'a/b~c', 0)).toBe('/parameters/a~1b~0c/0');
    expect(partsOf('/parameters/a~1b~0c/0')).toEqual(['parameters', 'a/b~c', '0']);
    expect(valueAt({ parameters: { 'a/b': [1, 2] } }, '/parameters/a~1b/1')).toBe(2);
    expect(valueAt({ a: null }, '/a/b')).toBeUndefined();
    expect(valueAt('x', '')).toBe('x');
  });
});
