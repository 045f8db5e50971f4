/** Frames for tests, as the server sends them. */
import type { BacktestStatus } from '../types';
import type { Frame, FrameData, FrameType } from './frames';

export const status = (more: Partial<BacktestStatus> = {}): BacktestStatus => ({
  backtest_id: 'bt-000000000000',
  status: 'running',
  progress: 10,
  current_step: 'collect_data',
  bars_done: 0,
  total_bars: 100,
  fills: 0,
  eta_seconds: null,
  queue_position: null,
  estimated_duration: null,
  attempt: 1,
  priority: 'normal',
  checkpoint_bar: null,
  waiting_for: [],
  created_at: '2026-01-01T00:00:00Z',
  started_at: '2026-01-01T00:00:01Z',
  completed_at: null,
  error: null,
  seq: 0,
  ...more,
});

/** `second` is when the server sent it. */
export const frame = <T extends FrameType>(type: T, seq: number, data: FrameData[T], second = 2): Frame =>
  ({ type, seq, timestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(), data }) as Frame;

export const line = (seq: number, message = `line ${seq}`) => frame('log', seq, { level: 'info', message });
