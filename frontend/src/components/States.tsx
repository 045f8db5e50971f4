import { Button, Skeleton } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import classes from './ui.module.css';

interface EmptyStateProps {
  title: string;
  body?: string;
  children?: ReactNode;
  /** When the state is the whole page, its title is the page's heading. */
  page?: boolean;
}

export function EmptyState({ title, body, children, page }: EmptyStateProps) {
  return (
    <div className={classes.empty}>
      {page ? <h1>{title}</h1> : <h2>{title}</h2>}
      {body && <p className="soft">{body}</p>}
      {children && (
        <div className="row wrap" style={{ marginTop: 8 }}>
          {children}
        </div>
      )}
    </div>
  );
}

interface ErrorStateProps {
  kind: 'unreachable' | 'refused' | 'busy' | 'unavailable' | 'server' | 'page';
  code: string;
  /** The server's own sentence. */
  detail?: string;
  requestId?: string;
  retryAfter?: number;
  onRetry: () => void;
}

/** What happened, that runs continue, one thing to do, and what to tell whoever helps. Pages use `PageError`. */
export function ErrorState({ kind, code, detail, requestId, retryAfter, onRetry }: ErrorStateProps) {
  const { t } = useTranslation();
  return (
    <div role="alert">
      <EmptyState page title={t(`problem.${kind}_title`)} body={t(`problem.${kind}_body`)}>
        <Button variant="default" onClick={onRetry}>
          {t('common.retry')}
        </Button>
        {retryAfter && <span className="dim">{t('problem.retry_after', { n: retryAfter })}</span>}
      </EmptyState>
      <div className={classes.errorFacts}>
        {detail && <p className="small soft">{detail}</p>}
        <p className="mono dim">
          {t('common.error_code')} {code}
          {requestId && ` · ${requestId}`}
        </p>
      </div>
    </div>
  );
}

/** Keeps the final geometry, so that nothing moves when the data arrives. */
export function PageSkeleton({ heights }: { heights: number[] }) {
  return (
    <div className="stack" aria-busy="true">
      {heights.map((height, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a fixed list
        <Skeleton key={index} height={height} radius={8} />
      ))}
    </div>
  );
}
