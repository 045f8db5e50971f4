import { describe, expect, it } from 'vitest';
import { curveOf, type Sample, sampled, secondsUntilStart, speedOf, stageSeconds } from './derive';

describe('the curve so far', () => {
  it('falls are from the initial capital until equity is above it', () => {
    const points: [number, number][] = [
      [0, 90],
      [1000, 120],
      [2000, 60],
    ];
    expect(curveOf(points, 100)).toEqual({
      t: [0, 1, 2],
      equity: [90, 120, 60],
      drawdown: [90 / 100 - 1, 0, -0.5],
    });
  });

  it('a moment is drawn once, and what lies before it never', () => {
    const points: [number, number][] = [
      [5000, 1],
      [5400, 2],
      [4000, 3],
      [6000, 4],
    ];
    expect(curveOf(points, 1).t).toEqual([5, 6]);
  });

  it('nothing is nothing, and an account below zero has no share of a peak', () => {
    expect(curveOf([], 100)).toEqual({ t: [], equity: [], drawdown: [] });
    expect(curveOf([[0, -5]], 0).drawdown).toEqual([0]);
  });
});

describe('stages', () => {
  it('one that lasts is measured to the newest word of the server', () => {
    const stages = { collect_data: { from: 1000, to: 3000 }, indicators: { from: 3000, to: null } };
    expect(stageSeconds(stages, 7000)).toEqual({ collect_data: 2, indicators: 4 });
  });

  it('who came into the middle of one does not know how long it took', () => {
    const stages = { simulate: { from: 5000, to: 6000 }, save: { from: 6000, to: null } };
    expect(stageSeconds(stages, 6500)).toEqual({ save: 0.5 });
    expect(stageSeconds({}, null)).toEqual({});
  });
});

describe('speed', () => {
  const seen = (...steps: Sample[]) => steps.reduce<readonly Sample[]>(sampled, []);

  it('is of the last seconds', () => {
    const samples = seen({ at: 0, bars: 0 }, { at: 9000, bars: 10 }, { at: 10_000, bars: 110 });
    expect(speedOf(samples)).toBe(100);
  });

  it('is unknown at first, and again where bars were taken back', () => {
    expect(speedOf(seen({ at: 0, bars: 5 }))).toBeNull();
    expect(speedOf(seen({ at: 0, bars: 5 }, { at: 100, bars: 9 }))).toBeNull();
    expect(seen({ at: 0, bars: 500 }, { at: 1000, bars: 20 })).toEqual([{ at: 1000, bars: 20 }]);
  });
});

it('the wait is what is left of the whole without the computing', () => {
  expect(secondsUntilStart({ eta_seconds: 30, estimated_duration: 12 })).toBe(18);
  expect(secondsUntilStart({ eta_seconds: 5, estimated_duration: 12 })).toBe(0);
  expect(secondsUntilStart({ eta_seconds: null, estimated_duration: 12 })).toBeNull();
  expect(secondsUntilStart({ eta_seconds: 30, estimated_duration: null })).toBeNull();
});
