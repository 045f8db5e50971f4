import { Button, SegmentedControl, TextInput } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { LogLine } from '@/api';
import { Icon } from '@/components/icons';
import { Panel } from '@/components/Panel';
import { useFormat } from '@/lib/use-format';
import { fieldText, filterLines, LEVELS, type LeastLevel, linesAfter } from './lines';
import classes from './log.module.css';
import { useLineText } from './use-line-text';

interface LogPanelProps {
  lines: readonly LogLine[];
  height: number;
  /** New lines arrive: the end is followed, and may be paused. */
  live?: boolean;
  /** Opened at its end, where a failure is told. */
  atEnd?: boolean;
  note?: ReactNode;
  /** Shown instead of the lines while there are none. */
  empty?: ReactNode;
}

const LINE = 19;
const NEAR_END = 24;
const TOUCH_MS = 400;

/** A log to filter and search. A live one follows its end until the reader scrolls away or pauses. */
export function LogPanel({ lines, height, live = false, atEnd = false, note, empty }: LogPanelProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const [level, setLevel] = useState<LeastLevel>('all');
  const [query, setQuery] = useState('');
  const [pausedAt, setPausedAt] = useState<number | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const held = useMemo(
    () => (pausedAt === null ? lines : lines.slice(0, lines.length - linesAfter(lines, pausedAt))),
    [lines, pausedAt],
  );
  const said = useLineText();
  const visible = useMemo(() => filterLines(held, level, query, said), [held, level, query, said]);
  const missed = pausedAt === null ? 0 : linesAfter(lines, pausedAt);
  const rows = useVirtualizer({
    count: visible.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE,
    getItemKey: (index) => visible[index]?.seq ?? index,
    overscan: 20,
  });
  const follows = live && pausedAt === null;
  useEffect(() => {
    if (follows && visible.length > 0) rows.scrollToIndex(visible.length - 1, { align: 'end' });
  }, [follows, visible, rows]);
  const shownEnd = useRef(!atEnd);
  useEffect(() => {
    if (shownEnd.current || visible.length === 0) return;
    shownEnd.current = true;
    rows.scrollToIndex(visible.length - 1, { align: 'end' });
  }, [visible, rows]);
  // Scrolling by the reader, not by new lines that push the end away.
  const touchedAt = useRef(Number.NEGATIVE_INFINITY);
  const touch = () => {
    touchedAt.current = performance.now();
  };
  const onScroll = () => {
    const element = box.current;
    if (!element || !follows || performance.now() - touchedAt.current > TOUCH_MS) return;
    const away = element.scrollHeight - element.scrollTop - element.clientHeight > NEAR_END;
    if (away) setPausedAt(lines.at(-1)?.seq ?? 0);
  };

  return (
    <Panel
      title={t('log.title')}
      note={note}
      flush
      actions={
        <div className={classes.tools}>
          <SegmentedControl
            size="xs"
            aria-label={t('log.level')}
            value={level}
            onChange={(value) => setLevel(value as LeastLevel)}
            data={LEVELS.map((value) => ({ value, label: t(`log.level_${value}`) }))}
          />
          <TextInput
            w={128}
            placeholder={t('log.search')}
            aria-label={t('log.search')}
            value={query}
            onChange={(event) => setQuery(event.currentTarget.value)}
          />
          {live && (
            <Button
              variant="default"
              px={8}
              leftSection={<Icon name={follows ? 'pause' : 'play'} size={12} />}
              onClick={() => setPausedAt(follows ? (lines.at(-1)?.seq ?? 0) : null)}
            >
              {follows ? t('log.pause') : t('log.resume', { count: missed, n: f.integer(missed) })}
            </Button>
          )}
        </div>
      }
    >
      <div
        ref={box}
        className={classes.log}
        style={live ? { height } : { maxHeight: height }}
        role="log"
        aria-live="off"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scroll area must be reachable by keyboard
        tabIndex={0}
        aria-label={t('log.title')}
        onScroll={onScroll}
        onWheel={touch}
        onTouchMove={touch}
        onKeyDown={touch}
        onPointerDown={touch}
      >
        {visible.length === 0 ? (
          <p className={classes.none}>{lines.length === 0 ? (empty ?? t('log.none')) : t('log.empty')}</p>
        ) : (
          <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
            {rows.getVirtualItems().map((row) => {
              const line = visible[row.index] as LogLine;
              return (
                <div
                  key={row.key}
                  ref={rows.measureElement}
                  data-index={row.index}
                  className={classes.place}
                  style={{ transform: `translateY(${row.start}px)` }}
                >
                  <Line line={line} text={said(line)} time={f.clock(line.timestamp)} />
                </div>
              );
            })}
          </div>
        )}
      </div>
    </Panel>
  );
}

function Line({ line, text, time }: { line: LogLine; text: string; time: string }) {
  const fields = fieldText(line);
  return (
    <div className={classes.line} data-level={line.level}>
      <time dateTime={line.timestamp} title={line.timestamp}>
        {time}
      </time>
      <span dir="auto">
        {line.level !== 'info' && line.level !== 'debug' && <b>{line.level} </b>}
        {text}
        {fields && <span className={classes.fields}> {fields}</span>}
      </span>
    </div>
  );
}
