export type { ClosedReason, ConnectionState, LostReason } from './connection';
export type { Frame, FrameOf, FrameType, LiveEquity } from './frames';
export type { LiveRun, StageTime } from './reducer';
export { useLiveRun, type Watched } from './use-live-run';
