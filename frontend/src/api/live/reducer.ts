/** What is known of a run that is watched, as a pure function of the frames that came. */
import {
  type BacktestStatus,
  isFinal,
  isStage,
  type LogLine,
  type Notice,
  STAGES,
  type Stage,
} from '../types';
import type { Frame, LiveEquity } from './frames';

/** More lines than anybody scrolls through; the whole log is at `…/logs`. */
export const MAX_LINES = 5000;

export interface StageTime {
  from: number;
  /** `null` while it lasts. */
  to: number | null;
}

export interface LiveRun {
  /** Number of the last kept event: the `after` of the next connection. */
  seq: number;
  /** `null` until the first frame. */
  status: BacktestStatus | null;
  equity: LiveEquity | null;
  log: readonly LogLine[];
  /** Older lines that are no longer held here. */
  dropped: number;
  notices: readonly Notice[];
  checkpoint: { bar: number; at: number } | null;
  /** When each stage of this attempt was seen; a viewer who came later knows only the rest. Epoch milliseconds. */
  stages: Readonly<Partial<Record<Stage, StageTime>>>;
  /** The server's clock at the newest frame, in epoch milliseconds. */
  now: number | null;
  /** `false`: updates come from the store, slower; `reason` says why. */
  live: boolean;
  reason: string | null;
  /** The run has ended, and everything about it has been told. */
  ended: boolean;
}

export const NOTHING_YET: LiveRun = {
  seq: 0,
  status: null,
  equity: null,
  log: [],
  dropped: 0,
  notices: [],
  checkpoint: null,
  stages: {},
  now: null,
  live: true,
  reason: null,
  ended: false,
};

export const reduceFrames = (state: LiveRun, frames: readonly Frame[]): LiveRun =>
  frames.reduce(reduce, state);

export function reduce(state: LiveRun, frame: Frame): LiveRun {
  const now = Math.max(Date.parse(frame.timestamp) || 0, state.now ?? 0);
  switch (frame.type) {
    case 'initial_status': {
      const { equity, ...status } = frame.data;
      // A store that was put back to an earlier state numbers its events anew.
      const known = status.seq < state.seq ? NOTHING_YET : state;
      return {
        ...known,
        ...progressed(known, status, now),
        seq: Math.min(known.seq, status.seq),
        equity: equity ?? known.equity,
        ended: false,
      };
    }
    case 'progress':
      return { ...state, ...progressed(state, frame.data, now), ended: isFinal(frame.data.status) };
    case 'equity':
      return { ...state, equity: frame.data, now };
    case 'heartbeat':
      return { ...state, live: frame.data.live, reason: frame.data.reason, now };
    default:
      return frame.seq <= state.seq ? state : kept({ ...state, seq: frame.seq, now }, frame, now);
  }
}

type Kept = Extract<Frame, { type: 'status_change' | 'log' | 'notice' | 'checkpoint' }>;

/** A numbered event that has not been seen. */
function kept(state: LiveRun, frame: Kept, now: number): LiveRun {
  switch (frame.type) {
    case 'status_change': {
      if (!state.status) return state;
      const { status, attempt, error } = frame.data;
      const again = attempt > state.status.attempt || (isFinal(state.status.status) && !isFinal(status));
      return {
        ...state,
        status: {
          ...state.status,
          status,
          attempt,
          error: error ?? null,
          queue_position: status === 'queued' ? state.status.queue_position : null,
        },
        stages: again ? {} : isFinal(status) ? closed(state.stages, now) : state.stages,
        ended: false,
      };
    }
    case 'log': {
      const { level, message, ...fields } = frame.data;
      const line: LogLine = { seq: frame.seq, timestamp: frame.timestamp, level, message, fields };
      const over = Math.max(0, state.log.length + 1 - MAX_LINES);
      return { ...state, log: [...state.log.slice(over), line], dropped: state.dropped + over };
    }
    case 'notice': {
      const { code, message, ...details } = frame.data;
      return { ...state, notices: [...state.notices, { code, message, details }] };
    }
    case 'checkpoint':
      return { ...state, checkpoint: { bar: frame.data.bar, at: Date.parse(frame.timestamp) } };
  }
}

function progressed(state: LiveRun, status: BacktestStatus, now: number): Partial<LiveRun> {
  const again = state.status !== null && status.attempt > state.status.attempt;
  const stages = again ? {} : state.stages;
  return { status, now, stages: isFinal(status.status) ? closed(stages, now) : entered(stages, status, now) };
}

/** The stage that is worked on now began when it was first seen; the ones before it are over. */
function entered(stages: LiveRun['stages'], status: BacktestStatus, now: number): LiveRun['stages'] {
  const stage = status.current_step;
  if (!isStage(stage) || stages[stage]) return stages;
  const first = Object.keys(stages).length === 0 && stage === STAGES[0];
  const began = first && status.started_at ? Date.parse(status.started_at) : now;
  return { ...closed(stages, now), [stage]: { from: began, to: null } };
}

function closed(stages: LiveRun['stages'], now: number): LiveRun['stages'] {
  const open = Object.entries(stages).filter(([, time]) => time.to === null);
  if (open.length === 0) return stages;
  return { ...stages, ...Object.fromEntries(open.map(([stage, time]) => [stage, { ...time, to: now }])) };
}
