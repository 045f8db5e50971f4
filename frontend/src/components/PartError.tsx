import { Button } from '@mantine/core';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiProblem, useReachable } from '@/api';
import { EmptyState } from './States';

interface PartErrorProps {
  error: unknown;
  onRetry: () => void;
}

/** A part of the page that could not be had; the rest stays, and so does the page's heading. */
export function PartError({ error, onRetry }: PartErrorProps) {
  const { t } = useTranslation();
  const reachable = useReachable();
  const problem = error instanceof ApiProblem ? error : null;
  const away = problem?.status === 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the server is back
  useEffect(() => {
    if (away && reachable) onRetry();
  }, [reachable]);
  return (
    <div role="alert">
      <EmptyState
        title={t(away ? 'problem.unreachable_title' : 'problem.part_title')}
        body={problem?.detail || undefined}
      >
        <Button variant="default" size="compact-xs" onClick={onRetry}>
          {t('common.retry')}
        </Button>
        {problem && !away && (
          <span className="mono dim">
            {t('common.error_code')} {problem.code}
            {problem.requestId && ` · ${problem.requestId}`}
          </span>
        )}
      </EmptyState>
    </div>
  );
}
