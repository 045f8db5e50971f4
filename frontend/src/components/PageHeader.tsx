import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';
import classes from './ui.module.css';

interface PageHeaderProps {
  title: string;
  /** What stands in the heading, if more than the title. */
  heading?: ReactNode;
  /** Text for the browser tab when it differs from the heading, e.g. "71% · name". */
  tabTitle?: string;
  meta?: ReactNode;
  actions?: ReactNode;
}

export function PageHeader({ title, heading, tabTitle, meta, actions }: PageHeaderProps) {
  useDocumentTitle(`${tabTitle ?? title} · backproof`);
  return (
    <header className={classes.header}>
      {heading ?? <h1>{title}</h1>}
      {meta && <div className={`${classes.meta} small dim`}>{meta}</div>}
      {actions && <div className={classes.actions}>{actions}</div>}
    </header>
  );
}
