import { describe, expect, it } from 'vitest';
import { anyRange, clamped, commonRange, dayNumber, dayText, isDay, partial, yearsBefore } from './period';

const AAPL = { symbol: 'AAPL', first: '2000-03-01', last: '2013-03-01' };
const GOOG = { symbol: 'GOOG', first: '2004-08-19', last: '2013-03-01' };
const GONE = { symbol: 'GONE', first: '2001-01-02', last: '2003-06-30' };
const wanted = (start: string | null, end: string | null) => ({ start, end });

describe('a period', () => {
  it('stays as it is inside the data, and open ends stay open', () => {
    expect(clamped(wanted('2005-01-03', null), [AAPL, GOOG])).toEqual({
      period: wanted('2005-01-03', null),
      clamps: [],
      outside: [],
    });
    expect(clamped(wanted('1990-01-01', null), [])).toEqual({
      period: wanted('1990-01-01', null),
      clamps: [],
      outside: [],
    });
  });

  it('is moved to the data, and says by which symbol and from which day', () => {
    expect(clamped(wanted('1995-05-05', '2020-01-01'), [GOOG, AAPL])).toEqual({
      period: wanted('2000-03-01', '2013-03-01'),
      clamps: [
        { edge: 'start', wanted: '1995-05-05', day: '2000-03-01', symbol: 'AAPL' },
        { edge: 'end', wanted: '2020-01-01', day: '2013-03-01', symbol: 'GOOG' },
      ],
      outside: [],
    });
  });

  it('that begins after the data is wrong, and moved nowhere', () => {
    expect(clamped(wanted('2014-05-01', null), [AAPL, GONE])).toEqual({
      period: wanted('2014-05-01', null),
      clamps: [],
      outside: [{ edge: 'start', side: 'after', wanted: '2014-05-01', day: '2013-03-01' }],
    });
    expect(clamped(wanted('2020-01-01', '2021-01-01'), [AAPL]).period).toEqual(
      wanted('2020-01-01', '2021-01-01'),
    );
    expect(clamped(wanted('2013-03-01', null), [AAPL]).outside).toEqual([]);
  });

  it('that ends before the data is wrong too', () => {
    expect(clamped(wanted('1980-01-01', '1990-01-01'), [AAPL])).toEqual({
      period: wanted('1980-01-01', '1990-01-01'),
      clamps: [],
      outside: [{ edge: 'end', side: 'before', wanted: '1990-01-01', day: '2000-03-01' }],
    });
  });

  it('has the symbols that come late and go early', () => {
    const { late, early } = partial(wanted(null, null), [AAPL, GOOG, GONE]);
    expect(late.map((one) => one.symbol)).toEqual(['GONE', 'GOOG']);
    expect(early.map((one) => one.symbol)).toEqual(['GONE']);
    expect(partial(wanted('2005-01-03', null), [AAPL, GOOG])).toEqual({ late: [], early: [] });
    expect(partial(wanted(null, null), [])).toEqual({ late: [], early: [] });
  });
});

describe('ranges', () => {
  it('are of any symbol or of all', () => {
    expect(anyRange([GOOG, AAPL])).toMatchObject({
      first: '2000-03-01',
      firstBy: 'AAPL',
      last: '2013-03-01',
    });
    expect(commonRange([GOOG, AAPL])).toMatchObject({ first: '2004-08-19', firstBy: 'GOOG' });
    expect(commonRange([GOOG, GONE])).toBeNull();
    expect([anyRange([]), commonRange([])]).toEqual([null, null]);
  });
});

describe('days', () => {
  it('are those that exist, in years that somebody means', () => {
    expect(['2005-01-03', '2004-02-29'].every(isDay)).toBe(true);
    expect(['', '0002-01-01', '2005-02-29', '2005-13-01', '2005-1-3', 'x'].some(isDay)).toBe(false);
  });

  it('have numbers, and years before', () => {
    expect(dayText(dayNumber('2005-01-03') + 1)).toBe('2005-01-04');
    expect(yearsBefore('2012-02-29', 5)).toBe('2007-02-28');
    expect(yearsBefore('2013-03-01', 5)).toBe('2008-03-01');
  });
});
