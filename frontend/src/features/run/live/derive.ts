import { type BacktestStatus, isStage, type LiveEquity, type LiveRun, STAGES, type Stage } from '@/api';

export interface LiveCurve {
  /** UTC seconds. */
  t: number[];
  equity: number[];
  /** From the highest point so far, which is at least the initial capital. */
  drawdown: number[];
}

/** Columns of the curve so far, each moment once. */
export function curveOf(points: LiveEquity['points'], capital: number): LiveCurve {
  const curve: LiveCurve = { t: [], equity: [], drawdown: [] };
  let peak = capital;
  for (const [ms, value] of points) {
    const time = Math.floor(ms / 1000);
    if (time <= (curve.t.at(-1) ?? Number.NEGATIVE_INFINITY)) continue;
    peak = Math.max(peak, value);
    curve.t.push(time);
    curve.equity.push(value);
    curve.drawdown.push(peak > 0 ? value / peak - 1 : 0);
  }
  return curve;
}

/**
 * Seconds in each stage whose beginning has been seen; the one that lasts is measured to the newest word of the server.
 * Who came later saw the first of them from somewhere in its middle.
 */
export function stageSeconds(stages: LiveRun['stages'], now: number | null): Partial<Record<Stage, number>> {
  const seconds: Partial<Record<Stage, number>> = {};
  for (const [place, [stage, { from, to }]] of Object.entries(stages).entries()) {
    const end = to ?? now;
    const seen = place > 0 || stage === STAGES[0];
    if (seen && isStage(stage) && end !== null) seconds[stage] = Math.max(0, end - from) / 1000;
  }
  return seconds;
}

export interface Sample {
  at: number;
  bars: number;
}

const SPAN_MS = 5000;

/** The last five seconds of progress; begins anew where bars were taken back. */
export function sampled(samples: readonly Sample[], next: Sample): readonly Sample[] {
  const last = samples.at(-1);
  if (last && next.bars < last.bars) return [next];
  if (last && next.at <= last.at) return samples;
  return [...samples.filter((one) => next.at - one.at <= SPAN_MS), next];
}

/** Bars per second over the samples; `null` until there are two. */
export function speedOf(samples: readonly Sample[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.at - first.at < 400) return null;
  return ((last.bars - first.bars) / (last.at - first.at)) * 1000;
}

/** Seconds until it starts, where both the whole and the computing can be expected. */
export function secondsUntilStart(
  status: Pick<BacktestStatus, 'eta_seconds' | 'estimated_duration'>,
): number | null {
  const { eta_seconds, estimated_duration } = status;
  return eta_seconds === null || estimated_duration === null
    ? null
    : Math.max(0, eta_seconds - estimated_duration);
}
