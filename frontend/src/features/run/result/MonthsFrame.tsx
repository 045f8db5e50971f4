import { type ReactNode, useRef } from 'react';
import { TableFrame } from '@/components/TableFrame';
import { useMoreBeside } from '@/components/use-more-beside';
import classes from './result.module.css';

/** Fades where the months go on beside what is in sight. */
export function MonthsFrame({ children }: { children: ReactNode }) {
  const frame = useRef<HTMLDivElement>(null);
  const more = useMoreBeside(frame);
  return (
    <div className={classes.fading} data-more={more || undefined}>
      <TableFrame ref={frame}>{children}</TableFrame>
    </div>
  );
}
