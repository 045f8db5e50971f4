import { describe, expect, it } from 'vitest';
import {
  type Completion,
  callAround,
  completed,
  corrected,
  namedValues,
  offer,
  pieces,
  placeOf,
  type RuleError,
} from './rules';

const word = (name: string, insert = name, kind: Completion['kind'] = 'price'): Completion => ({
  name,
  insert,
  kind,
  signature: name,
  description: '',
  group: null,
  parameters: [],
});
const WORDS = [
  word('close'),
  word('and', 'and ', 'keyword'),
  word('sma', 'sma($)', 'function'),
  word('lowest', 'lowest($)', 'function'),
];
const names = (found: ReturnType<typeof offer>) => found?.words.map((one) => one.name);
const mistake = (line: number, column: number, stop: number, suggestion: string | null = null) =>
  ({ line, column, stop, suggestion }) as RuleError;

describe('mistakes', () => {
  it('have their place in the text, on any line', () => {
    expect(placeOf('close < lowst(low, 20)', mistake(1, 9, 14))).toEqual([8, 13]);
    expect(placeOf('close >\n smaa(close, 2)', mistake(2, 2, 6))).toEqual([9, 13]);
    expect(placeOf('close >', mistake(1, 8, 9))).toEqual([7, 7]);
    expect(placeOf('x', { line: null, column: null, stop: null })).toBeNull();
  });

  it('cut the text into right and wrong pieces', () => {
    expect(pieces('close < lowst(low)', [[8, 13]])).toEqual([
      { text: 'close < ', wrong: false },
      { text: 'lowst', wrong: true },
      { text: '(low)', wrong: false },
    ]);
    expect(pieces('close >', [[7, 7]])).toEqual([
      { text: 'close >', wrong: false },
      { text: ' ', wrong: true },
    ]);
    expect(
      pieces('abcd', [
        [2, 4],
        [0, 3],
      ]).map((piece) => piece.text),
    ).toEqual(['abc', 'd']);
  });

  it('are corrected where they are', () => {
    expect(corrected('close < lowst(low, 20)', mistake(1, 9, 14, 'lowest'))).toBe('close < lowest(low, 20)');
    expect(corrected('a >', mistake(1, 4, 5))).toBe('a >');
  });
});

describe('completion', () => {
  it('offers words that begin with what is written, then those that contain it', () => {
    expect(names(offer('close < lo', 10, WORDS))).toEqual(['lowest', 'close']);
    expect(names(offer('sm', 2, [...WORDS, ...namedValues({ small: 3 })]))).toEqual(['sma', 'small']);
  });

  it('offers nothing for a whole word, in a number, or where none is written', () => {
    expect(offer('close', 5, WORDS)).toBeNull();
    expect(offer('close > 1e', 10, WORDS)).toBeNull();
    expect(offer('close > ', 8, WORDS)).toBeNull();
    expect(names(offer('close > ', 8, WORDS, true))).toHaveLength(4);
  });

  it('puts the cursor where the first argument belongs, and writes no parentheses twice', () => {
    const sma = WORDS[2] as Completion;
    expect(completed('x > s', 5, 4, sma)).toEqual({ text: 'x > sma()', cursor: 8 });
    expect(completed('x > sm(close, 2)', 6, 4, sma)).toEqual({ text: 'x > sma(close, 2)', cursor: 7 });
    expect(completed('a an b', 4, 2, WORDS[1] as Completion)).toEqual({ text: 'a and b', cursor: 5 });
  });

  it('knows the call and the argument that the cursor is in', () => {
    const text = 'sma(close, max(high[1], low), 20)';
    expect(callAround(text, 9)).toEqual({ name: 'sma', argument: 0 });
    expect(callAround(text, text.indexOf('low'))).toEqual({ name: 'max', argument: 1 });
    expect(callAround(text, text.length - 1)).toEqual({ name: 'sma', argument: 2 });
    expect(callAround(text, text.length)).toBeNull();
    expect(callAround('(close', 6)).toBeNull();
  });
});
