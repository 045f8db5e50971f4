/** Frames of `/ws/backtest/{id}`, which OpenAPI describes in words only; their data has generated types. */
import type { BacktestStatus, Intermediate, LogLevel, RunError, RunStatus, Stage } from '../types';

/** The curve so far and what is held. */
export type LiveEquity = Omit<Intermediate, 'backtest_id'>;

export interface FrameData {
  initial_status: BacktestStatus & { equity: LiveEquity | null };
  progress: BacktestStatus;
  status_change: {
    status: RunStatus;
    attempt: number;
    reason?: string;
    error?: RunError;
    worker?: string;
  };
  log: { level: LogLevel; message: string; [field: string]: unknown };
  notice: { code: string; message: string; [field: string]: unknown };
  checkpoint: { bar: number; stage: Stage };
  equity: LiveEquity;
  heartbeat: { live: boolean; reason: string | null };
}

export type FrameType = keyof FrameData;
export type FrameOf<T extends FrameType> = { type: T; seq: number; timestamp: string; data: FrameData[T] };
export type Frame = { [T in FrameType]: FrameOf<T> }[FrameType];

const TYPES: readonly string[] = [
  'initial_status',
  'progress',
  'status_change',
  'log',
  'notice',
  'checkpoint',
  'equity',
  'heartbeat',
] satisfies FrameType[];

/** `null` for what this version does not know: a newer server may say more. */
export function parseFrame(text: string): Frame | null {
  try {
    const frame = JSON.parse(text) as Partial<Frame> | null;
    const known = typeof frame?.seq === 'number' && TYPES.includes(frame.type ?? '');
    return known && typeof frame.data === 'object' ? (frame as Frame) : null;
  } catch {
    return null;
  }
}
