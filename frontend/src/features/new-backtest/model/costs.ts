import type { Costs } from './draft';
import { API_DEFAULTS } from './draft';

/** Commission and slippage in hundredths of a percent. */
export const PRESETS = { none: [0, 0], low: [2, 1], typical: [10, 2], high: [30, 10] } as const;
export type Preset = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as Preset[];

export const BPS = 1e-4;
export const PERCENT = 1e-2;

/** What a field shows, as the fraction that is kept: 10 bps is 0.001 and not 0.0010000000000000002. */
export const scaled = (value: number, scale: number): number => Number((value * scale).toPrecision(12));
export const unscaled = (value: number, scale: number): number => Number((value / scale).toPrecision(12));

export function withPreset(costs: Costs, preset: Preset): Costs {
  const [commission, slippage] = PRESETS[preset];
  return {
    ...API_DEFAULTS.costs,
    borrow_rate: costs.borrow_rate,
    commission_rate: scaled(commission, BPS),
    slippage_bps: slippage,
  };
}

/** `null` for costs of one's own. The price of borrowing is no part of a preset. */
export function presetOf(costs: Costs): Preset | null {
  const perTrade =
    (costs.commission_per_share ?? 0) + (costs.commission_fixed ?? 0) + (costs.commission_min ?? 0);
  if (perTrade > 0) return null;
  const commission = unscaled(costs.commission_rate ?? 0, BPS);
  const slippage = costs.slippage_bps ?? 0;
  return (
    PRESET_NAMES.find((name) => PRESETS[name][0] === commission && PRESETS[name][1] === slippage) ?? null
  );
}
