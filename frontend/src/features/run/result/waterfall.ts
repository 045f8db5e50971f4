import type { Backtest } from '@/api';

export const COST_KINDS = ['commission', 'slippage', 'borrow', 'dividends', 'cash_in_lieu'] as const;
export type CostKind = (typeof COST_KINDS)[number];
/** Paid lowers the profit; the others raise it. */
const PAID: readonly CostKind[] = ['commission', 'slippage', 'borrow'];

export interface Waterfall {
  /** From prices alone. */
  gross: number;
  /** Signed: paid is negative. Those that are always zero here are left out. */
  parts: { kind: CostKind; money: number }[];
  net: number;
  paid: number;
}

/** From what prices alone would have earned to what was left. `null` without a result. */
export function waterfallOf(run: Backtest): Waterfall | null {
  const total = run.metrics?.total_return;
  if (total === null || total === undefined || !run.costs) return null;
  const net = total * run.initial_capital;
  const parts = COST_KINDS.map((kind) => {
    const money = run.costs?.[kind] ?? 0;
    return { kind, money: PAID.includes(kind) ? -money : money };
  });
  const gross = net - parts.reduce((sum, part) => sum + part.money, 0);
  const always: readonly CostKind[] = ['commission', 'slippage'];
  return {
    gross,
    parts: parts.filter((part) => always.includes(part.kind) || part.money !== 0),
    net,
    paid: parts.filter((part) => PAID.includes(part.kind)).reduce((sum, part) => sum - part.money, 0),
  };
}
