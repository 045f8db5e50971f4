/** A sketch of an idea: price in grey, the rule's own line in the current colour, a dot where it buys. */
export type Sketch = readonly [price: string, rule: string, dot?: readonly [number, number]];

const WAVE = 'M1 9 10 14 22 15 34 6 51 8';
const RISE = 'M1 17 10 14 18 16 28 8 36 10 51 3';
const BARS = 'M4 16V8M14 16V8M24 16V8M34 16V8M44 16V8';

const SKETCHES: Record<string, Sketch> = {
  sma_crossover: [RISE, 'M1 14 14 15 26 13 38 9 51 6', [23, 12]],
  ema_crossover: ['M1 16 10 17 18 10 28 12 36 5 51 4', 'M1 15C12 18 16 12 28 11S40 6 51 6', [16, 13]],
  macd: [WAVE, 'M1 10H51', [27, 11]],
  supertrend: [RISE, 'M1 19H14V17H26V13H38V11H51V7'],
  adx_trend: ['M1 15 12 14 20 15 34 8 51 3', 'M1 17H18C26 17 28 12 34 11S44 9 51 8', [24, 14]],
  parabolic_sar: [RISE, 'M3 19h.5M10 18h.5M17 18h.5M24 16h.5M31 14h.5M38 11h.5M45 8h.5'],
  time_series_momentum: ['M1 16 14 13 26 14 38 7 51 3', 'M4 16H48M48 16l-4-3M48 16l-4 3'],
  moving_average_timing: [WAVE, 'M1 11C18 12 34 10 51 9', [28, 10]],
  donchian_breakout: ['M1 13 8 10 16 13 24 10 32 12 38 5 51 2', 'M1 8H36V3H51', [36, 7]],
  keltner_breakout: ['M1 14 12 13 22 14 32 11 40 5 51 4', 'M1 10C18 10 30 9 36 7S46 3 51 2', [36, 7]],
  rsi_mean_reversion: ['M1 5 10 8 18 17 26 13 36 6 51 10', 'M1 15H51', [18, 17]],
  bollinger: ['M1 9 10 7 18 16 28 11 38 8 51 10', 'M1 13C12 16 22 14 51 14M1 5C14 3 30 5 51 5', [18, 16]],
  stochastic: ['M1 6 12 14 20 17 30 12 40 5 51 8', 'M1 15H51M1 5H51', [20, 17]],
  rsi_pullback: ['M1 15 14 10 20 13 24 14 30 8 51 3', 'M1 18 51 8', [24, 14]],
  momentum_top_n: ['M1 16H51', 'M4 16V3M14 16V6M24 16V8'],
  dual_momentum: ['M1 16H51', 'M4 16V3M14 16V6M34 16V13M44 16V14'],
  near_52_week_high: ['M1 15 14 9 26 11 38 6 51 5', 'M1 3H51'],
  low_volatility: ['M1 6 8 14 14 4 22 15 30 5 38 13 51 7', 'M1 12C18 10 34 10 51 9'],
  pairs_spread: ['M1 6C16 2 22 10 30 9S44 6 51 7', 'M1 14C14 18 22 11 30 12S44 14 51 12'],
  turn_of_month: ['M1 14 12 12 24 13 36 8 51 6', 'M22 3V17M30 3V17'],
  volatility_target: [WAVE, 'M4 16V6M14 16V11M24 16V13M34 16V8M44 16V6'],
  inverse_volatility: ['M1 16H51', 'M4 16V5M14 16V12M24 16V9M34 16V13M44 16V7'],
  equal_weight: ['M1 16H51', BARS],
  fixed_weights: ['M1 16H51', 'M8 16V4M20 16V4M34 16V10M46 16V10'],
  dollar_cost_averaging: [WAVE, 'M6 17h.5M15 17h.5M24 17h.5M33 17h.5M42 17h.5'],
  buy_and_hold: ['M1 16 10 13 18 14 28 8 36 9 51 3', 'M3 16V16', [3, 15]],
  rules: ['M1 5H30M1 10H44M1 15H22', 'M48 8V17'],
};

const BY_KIND: Record<string, Sketch> = {
  trend: [RISE, 'M1 14 14 15 26 13 38 9 51 6'],
  breakout: ['M1 13 8 10 16 13 24 10 32 12 38 5 51 2', 'M1 8H36V3H51'],
  reversion: ['M1 5 10 8 18 17 26 13 36 6 51 10', 'M1 15H51'],
  rotation: ['M1 16H51', 'M4 16V3M14 16V6M24 16V8'],
  portfolio: ['M1 16H51', BARS],
  risk: ['M1 16H51', BARS],
};

export const sketchOf = (name: string, kind: string): Sketch =>
  SKETCHES[name] ?? BY_KIND[kind] ?? [WAVE, 'M1 10H51'];
