import { type ReactNode, useId, useState } from 'react';
import classes from '../new-backtest.module.css';

export function Section({ number, title, children }: { number: number; title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section className={classes.section} aria-labelledby={id}>
      <h2 id={id}>
        <span className="num dim" aria-hidden="true">
          {number}
        </span>{' '}
        {title}
      </h2>
      <div className={classes.body}>{children}</div>
    </section>
  );
}

/** A part of a section that has a name of its own. */
export function Part({ title, note, children }: { title: string; note?: ReactNode; children: ReactNode }) {
  const id = useId();
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out as a grid everywhere
    <div role="group" aria-labelledby={id} className={classes.part}>
      <h3 id={id}>{title}</h3>
      {note && <p className={`${classes.partNote} tiny dim`}>{note}</p>}
      {children}
    </div>
  );
}

interface MoreProps {
  label: string;
  /** Open because something in it is set, or wrong. */
  needed: boolean;
  children: ReactNode;
}

/** What few need, behind one line; it opens by itself when something in it matters, and stays open. */
export function More({ label, needed, children }: MoreProps) {
  const [open, setOpen] = useState(false);
  return (
    <details
      className={classes.more}
      open={open || needed}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>{label}</summary>
      {children}
    </details>
  );
}
