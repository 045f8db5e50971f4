/** Returns from the one next to zero outwards; each doubles or halves what is left of the one before. */
const TICKS = [0, 1, -0.5, 3, 7, -0.9, 15, 31, 63, 127];
/** A label such as +1,500% is about so wide. */
const LABEL = 42;

/** A log scale of the growth factor: halving and doubling lie equally far from zero. */
export const growth = (value: number) => Math.log2(Math.max(0.01, 1 + value));

/** The ticks whose labels fit into the width without touching each other; zero goes before all others. */
export function legibleTicks(x: (value: number) => number, width: number): number[] {
  const kept: number[] = [];
  for (const tick of TICKS) {
    const at = x(tick);
    const inside = at >= LABEL / 2 && at <= width - LABEL / 2;
    if (inside && kept.every((other) => Math.abs(x(other) - at) >= LABEL)) kept.push(tick);
  }
  return kept;
}
