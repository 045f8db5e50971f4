import type { BacktestInput, SubmitOptions } from '@/api';
import { toYaml } from '@/lib/yaml';

/** A file for `backproof run`. */
export const asYaml = (input: BacktestInput): string =>
  toYaml(input as unknown as Parameters<typeof toYaml>[0]);

/** The same submission for a shell. */
export function asCurl(input: BacktestInput, options: SubmitOptions, origin: string): string {
  const query = new URLSearchParams(
    Object.entries(options).map(([name, value]) => [name, String(value)]),
  ).toString();
  const url = `${origin}/api/v1/backtests${query && `?${query}`}`;
  // inside single quotes a shell reads everything as it is, but the quote itself
  const body = JSON.stringify(input, null, 2).replaceAll("'", "'\\''");
  return `curl -X POST '${url}' \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}
