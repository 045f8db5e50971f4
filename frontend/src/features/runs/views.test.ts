import { describe, expect, it } from 'vitest';
import { effective, readViews, tabOf } from './views';

const MINE = { id: 'v-1', name: 'Mine', search: { tag: ['a'], sort: '-sharpe' as const } };

describe('tabs', () => {
  it('a link may name a built-in view alone', () => {
    expect(effective({ view: 'failed' })).toEqual({ status: ['failed'] });
    expect(effective({ view: 'failed', q: 'x' })).toEqual({ status: ['failed'], q: 'x' });
    expect(effective({ view: 'v-1', q: 'x' })).toEqual({ view: 'v-1', q: 'x' });
  });

  it('the tab is the one that shows the same, whatever the sort of a built-in one', () => {
    expect(tabOf({}, [])).toEqual({ tab: 'all', edited: false });
    expect(tabOf({ sort: 'name' }, [])).toEqual({ tab: 'all', edited: false });
    expect(tabOf({ status: ['failed'] }, [])).toEqual({ tab: 'failed', edited: false });
    expect(tabOf({ view: 'active' }, [])).toEqual({ tab: 'active', edited: false });
    expect(tabOf({ q: 'x' }, [MINE])).toEqual({ tab: null, edited: false });
  });

  it("one of the reader's own is found by what it shows, and kept while it is changed", () => {
    expect(tabOf({ tag: ['a'], sort: '-sharpe' }, [MINE])).toEqual({ tab: 'v-1', edited: false });
    expect(tabOf({ view: 'v-1', tag: ['a'], sort: '-sharpe' }, [MINE])).toEqual({
      tab: 'v-1',
      edited: false,
    });
    expect(tabOf({ view: 'v-1', tag: ['a'] }, [MINE])).toEqual({ tab: 'v-1', edited: true });
    // another browser does not have it: the address shows the same all the same
    expect(tabOf({ view: 'v-1', status: ['failed'] }, [])).toEqual({ tab: 'failed', edited: false });
  });
});

it('stored views of any origin are read or left out, never an error', () => {
  expect(readViews(null)).toEqual([]);
  expect(readViews('{')).toEqual([]);
  expect(readViews('{"a": 1}')).toEqual([]);
  expect(
    readViews(
      JSON.stringify([
        MINE,
        null,
        { id: 1, name: 'x', search: {} },
        { id: 'v-2', name: '  ', search: {} },
        {
          id: 'v-3',
          name: 'n'.repeat(99),
          search: { status: ['failed', 'no'], q: 3, view: 'all', evil: '<' },
        },
      ]),
    ),
  ).toEqual([MINE, { id: 'v-3', name: 'n'.repeat(40), search: { status: ['failed'], q: '3' } }]);
});
