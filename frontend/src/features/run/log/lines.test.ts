import { describe, expect, it } from 'vitest';
import type { LogLine } from '@/api';
import { fieldText, filterLines, linesAfter } from './lines';

const line = (seq: number, level: LogLine['level'], message: string, fields = {}): LogLine => ({
  seq,
  timestamp: '2026-01-01T00:00:00Z',
  level,
  message,
  fields,
});
const LINES = [
  line(1, 'debug', 'Reading'),
  line(2, 'info', 'bars loaded', { stage: 'collect_data', sha256: 'abc' }),
  line(4, 'warning', 'no checkpoint'),
  line(9, 'error', 'failed', { code: 'strategy_error' }),
];
const seqs = (lines: readonly LogLine[]) => lines.map(({ seq }) => seq);

describe('filtering', () => {
  it('shows what is at least as serious', () => {
    expect(filterLines(LINES, 'all', '')).toBe(LINES);
    expect(seqs(filterLines(LINES, 'warning', ''))).toEqual([4, 9]);
    expect(seqs(filterLines(LINES, 'error', ''))).toEqual([9]);
  });

  it('searches messages and fields, in any case', () => {
    expect(seqs(filterLines(LINES, 'all', ' READ '))).toEqual([1]);
    expect(seqs(filterLines(LINES, 'all', 'strategy_'))).toEqual([9]);
    expect(filterLines(LINES, 'error', 'bars')).toEqual([]);
  });

  it('searches what is shown as well as what the server wrote', () => {
    const shown = ({ message }: LogLine) => (message === 'bars loaded' ? '봉을 읽었습니다' : message);
    expect(seqs(filterLines(LINES, 'all', '읽었', shown))).toEqual([2]);
    expect(seqs(filterLines(LINES, 'all', 'loaded', shown))).toEqual([2]);
  });
});

it('fields are told, but not those that the place says', () => {
  expect(fieldText(LINES[1] as LogLine)).toBe('sha256=abc');
  expect(fieldText(line(1, 'info', 'x', { source: 'strategy', a: null, b: '', c: 0, d: [1] }))).toBe(
    'c=0 d=[1]',
  );
  expect(fieldText(line(1, 'info', 'x', { code: 'bars_loaded', values: { bars: 1 }, sha256: 'abc' }))).toBe(
    'sha256=abc',
  );
  expect(fieldText(line(1, 'error', 'x', { code: 'strategy_error', values: {} }))).toBe(
    'code=strategy_error',
  );
});

it('a pause counts what comes after it', () => {
  expect(linesAfter(LINES, 2)).toBe(2);
  expect(linesAfter(LINES, 9)).toBe(0);
  expect(linesAfter([], 0)).toBe(0);
});
