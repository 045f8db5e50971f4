import { describe, expect, it } from 'vitest';
import { parseFrame } from './frames';
import { type LiveRun, MAX_LINES, NOTHING_YET, reduceFrames } from './reducer';
import { frame, line, status } from './samples';

const second = (n: number) => Date.UTC(2026, 0, 1, 0, 0, n);
const started = (more: Parameters<typeof status>[0] = {}): LiveRun =>
  reduceFrames(NOTHING_YET, [frame('initial_status', 0, { ...status(more), equity: null })]);

describe('kept events', () => {
  it('come once, however often they are sent', () => {
    const run = reduceFrames(started(), [line(1), line(2), line(1), line(2), line(3)]);
    expect(run.log.map((l) => l.message)).toEqual(['line 1', 'line 2', 'line 3']);
    expect(run.seq).toBe(3);
  });

  it('go on after a new connection, whose first frame carries the cursor it was given', () => {
    const before = reduceFrames(started(), [line(1), line(2)]);
    const again = reduceFrames(before, [
      frame('initial_status', 2, { ...status({ seq: 4, progress: 70 }), equity: null }),
      line(3),
      line(4),
    ]);
    expect(again.log).toHaveLength(4);
    expect(again.status?.progress).toBe(70);
  });

  it('start anew when the store was put back behind what was seen', () => {
    const before = reduceFrames(started(), [line(1), line(2), line(3)]);
    const again = reduceFrames(before, [
      frame('initial_status', 1, { ...status({ seq: 1 }), equity: null }),
      line(1, 'another'),
    ]);
    expect(again.log.map((l) => l.message)).toEqual(['another']);
    expect(again.seq).toBe(1);
  });

  it('keep their further fields', () => {
    const run = reduceFrames(started(), [
      frame('log', 1, { level: 'warning', message: 'gap', symbol: 'AAPL' }),
      frame('notice', 2, { code: 'no_costs', message: 'no costs', bars: 3 }),
    ]);
    expect(run.log[0]).toMatchObject({ level: 'warning', message: 'gap', fields: { symbol: 'AAPL' } });
    expect(run.notices).toEqual([{ code: 'no_costs', message: 'no costs', details: { bars: 3 } }]);
  });

  it('are the newest ones where there are too many lines, and the others are counted', () => {
    const run = reduceFrames(
      started(),
      Array.from({ length: MAX_LINES + 3 }, (_, i) => line(i + 1)),
    );
    expect(run.log).toHaveLength(MAX_LINES);
    expect(run.log[0]?.seq).toBe(4);
    expect(run.dropped).toBe(3);
  });
});

describe('progress', () => {
  it('replaces what was known, and its seq moves no cursor', () => {
    const run = reduceFrames(started(), [
      line(1),
      frame('progress', 1, status({ progress: 64, current_step: 'simulate', bars_done: 12, fills: 3 })),
    ]);
    expect(run.status).toMatchObject({ progress: 64, current_step: 'simulate', fills: 3 });
    expect(run.seq).toBe(1);
  });

  it('measures stages on the clock of the server', () => {
    const run = reduceFrames(started(), [
      frame('progress', 0, status({ progress: 40, current_step: 'indicators' }), 5),
      frame('progress', 0, status({ progress: 60, current_step: 'simulate' }), 9),
      frame('progress', 0, status({ progress: 61, current_step: 'simulate' }), 10),
    ]);
    expect(run.stages).toEqual({
      collect_data: { from: second(1), to: second(5) },
      indicators: { from: second(5), to: second(9) },
      simulate: { from: second(9), to: null },
    });
    expect(run.now).toBe(second(10));
  });

  it('a viewer who came late does not invent the stages before', () => {
    expect(started({ progress: 70, current_step: 'simulate' }).stages).toEqual({
      simulate: { from: second(2), to: null },
    });
  });

  it('begins again with a new attempt', () => {
    const run = reduceFrames(started({ progress: 70, current_step: 'simulate' }), [
      frame('status_change', 1, { status: 'queued', attempt: 1, reason: 'worker_died' }, 3),
      frame('status_change', 2, { status: 'running', attempt: 2 }, 4),
      frame('progress', 2, status({ attempt: 2, progress: 5, current_step: 'collect_data' }), 5),
    ]);
    expect(run.status).toMatchObject({ status: 'running', attempt: 2, progress: 5 });
    expect(Object.keys(run.stages)).toEqual(['collect_data']);
  });
});

describe('the end', () => {
  it('is over with the last progress frame, not with the change of status before it', () => {
    const changed = reduceFrames(started(), [
      frame('status_change', 1, { status: 'completed', attempt: 1 }, 8),
    ]);
    expect([changed.status?.status, changed.ended]).toEqual(['completed', false]);
    const told = reduceFrames(changed, [
      frame('progress', 1, status({ status: 'completed', progress: 100, current_step: null }), 8),
    ]);
    expect(told.ended).toBe(true);
    expect(told.stages.collect_data).toEqual({ from: second(1), to: second(8) });
  });

  it('carries the error of a failed run', () => {
    const error = { code: 'crash_loop', message: 'the worker died 3 times', stage: 'simulate', details: {} };
    const run = reduceFrames(started(), [frame('status_change', 1, { status: 'failed', attempt: 3, error })]);
    expect(run.status).toMatchObject({ status: 'failed', error });
  });

  it('is taken back when the owner resumes the run', () => {
    const run = reduceFrames(started(), [
      frame('status_change', 1, { status: 'cancelled', attempt: 1 }),
      frame('progress', 1, status({ status: 'cancelled' })),
      frame('status_change', 2, { status: 'queued', attempt: 1 }),
    ]);
    expect([run.status?.status, run.ended]).toEqual(['queued', false]);
  });
});

it('a heartbeat says whether updates are live', () => {
  const run = reduceFrames(started(), [
    frame('heartbeat', 0, { live: false, reason: 'Redis does not answer' }),
  ]);
  expect([run.live, run.reason]).toEqual([false, 'Redis does not answer']);
  expect(reduceFrames(run, [frame('heartbeat', 0, { live: true, reason: null })]).live).toBe(true);
});

it('the curve is the newest one, and a first frame without one leaves it', () => {
  const equity = {
    points: [[0, 1] as [number, number]],
    bars_done: 1,
    total_bars: 2,
    fills: 0,
    trades: 0,
    positions: [],
    position_count: 0,
  };
  const run = reduceFrames(started(), [frame('equity', 0, equity)]);
  const again = reduceFrames(run, [frame('initial_status', 0, { ...status(), equity: null })]);
  expect(again.equity).toBe(equity);
});

it('a frame of a newer server, or no frame at all, is passed over', () => {
  expect(parseFrame('{"type":"applause","seq":1,"timestamp":"","data":{}}')).toBeNull();
  expect(parseFrame('not json')).toBeNull();
  expect(parseFrame('null')).toBeNull();
  expect(parseFrame(JSON.stringify(line(1)))).toMatchObject({ type: 'log', seq: 1 });
});
