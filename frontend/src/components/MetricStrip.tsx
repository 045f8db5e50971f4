import { Tooltip } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './ui.module.css';

export interface MetricCell {
  id: string;
  label: string;
  /** Its definition, one hover away. */
  hint?: string;
  value: ReactNode;
  sub?: ReactNode;
  lead?: boolean;
}

/** One ruled band instead of eight loose cards. */
export function MetricStrip({ cells }: { cells: MetricCell[] }) {
  const withSub = cells.some((cell) => cell.sub);
  return (
    <dl
      className={classes.strip}
      data-lead={cells.some((cell) => cell.lead) || undefined}
      style={{ margin: 0 }}
    >
      {cells.map((cell) => (
        <div key={cell.id} className={classes.cell} data-lead={cell.lead || undefined}>
          <dt>
            {cell.hint ? (
              <Tooltip label={cell.hint}>
                <span className="help">{cell.label}</span>
              </Tooltip>
            ) : (
              cell.label
            )}
          </dt>
          <dd className={classes.value}>{cell.value}</dd>
          {withSub && <dd className={`${classes.sub} num`}>{cell.sub ?? '\u00a0'}</dd>}
        </div>
      ))}
    </dl>
  );
}
