import type { LogLine } from '@/api';

export const LEVELS = ['all', 'warning', 'error'] as const;
/** The least serious level that is shown. */
export type LeastLevel = (typeof LEVELS)[number];

const RANK: Record<LogLine['level'], number> = { debug: 0, info: 1, warning: 2, error: 3 };
const LEAST: Record<LeastLevel, number> = { all: 0, warning: 2, error: 3 };

/** Lines at least as serious as `least` that hold `text`: as they are shown, as the server wrote them, or in a field. */
export function filterLines(
  lines: readonly LogLine[],
  least: LeastLevel,
  text: string,
  shown: (line: LogLine) => string = (line) => line.message,
): readonly LogLine[] {
  const wanted = text.trim().toLowerCase();
  if (least === 'all' && wanted === '') return lines;
  return lines.filter(
    (line) =>
      RANK[line.level] >= LEAST[least] &&
      (wanted === '' ||
        [shown(line), line.message, fieldText(line)].some((part) => part.toLowerCase().includes(wanted))),
  );
}

/** Said by the line itself, or by where it stands; the code is what one looks for when something failed. */
const SILENT = new Set(['stage', 'source', 'traceback', 'values']);
const isSaid = (line: LogLine, name: string) =>
  SILENT.has(name) || (name === 'code' && line.level !== 'error');

export const fieldText = (line: LogLine): string =>
  Object.entries(line.fields)
    .filter(([name, value]) => !isSaid(line, name) && value !== null && value !== '')
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' ');

/** How many lines came after the one at which the reader paused. */
export const linesAfter = (lines: readonly LogLine[], seq: number): number => {
  let count = 0;
  for (let i = lines.length - 1; i >= 0 && (lines[i] as LogLine).seq > seq; i -= 1) count += 1;
  return count;
};
