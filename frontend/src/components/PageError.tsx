import { Button } from '@mantine/core';
import { Link, useRouter } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiProblem, askWhetherItIsThere, useReachable } from '@/api';
import { PageCodeMissing } from '@/lib/page-code';
import { EmptyState, ErrorState } from './States';

/** Anything that kept a page from showing, by its code. The navigation around it stays. */
export function PageError({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const router = useRouter();
  const retry = onRetry ?? (() => void router.invalidate());
  const problem = error instanceof ApiProblem ? error : null;
  const reachable = useReachable();
  const wasAway = useRef(false);
  const codeMissing = error instanceof PageCodeMissing;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the server goes or is back
  useEffect(() => {
    if (codeMissing) void askWhetherItIsThere();
    if (!reachable) return;
    if (problem?.status === 0) retry();
    if (codeMissing && wasAway.current) location.reload(); // a browser may remember that the code did not come
  }, [reachable]);
  useEffect(() => {
    if (!reachable) wasAway.current = true;
  }, [reachable]);
  if (codeMissing && reachable) return <Outdated />;
  const shown = codeMissing ? ApiProblem.unreachable() : problem;
  return (
    <ErrorState
      kind={kindOf(shown)}
      code={shown?.code ?? (error instanceof Error ? error.name : 'unknown')}
      detail={shown?.detail ?? (error instanceof Error ? error.message : undefined)}
      requestId={problem?.requestId ?? undefined}
      retryAfter={problem?.retryAfter ?? undefined}
      onRetry={retry}
    />
  );
}

type Kind = 'unreachable' | 'refused' | 'busy' | 'unavailable' | 'server' | 'page';

function kindOf(problem: ApiProblem | null): Kind {
  if (!problem) return 'page';
  if (problem.status === 0) return 'unreachable';
  if (problem.status === 503 || problem.status === 507) return 'unavailable';
  if (problem.status === 429) return 'busy';
  return problem.status >= 500 ? 'server' : 'refused';
}

function Outdated() {
  const { t } = useTranslation();
  return (
    <EmptyState page title={t('problem.outdated_title')} body={t('problem.outdated_body')}>
      <Button onClick={() => location.reload()}>{t('problem.reload')}</Button>
    </EmptyState>
  );
}

export function NotFoundPage() {
  const { t } = useTranslation();
  return (
    <EmptyState page title={t('problem.no_page_title')} body={t('problem.no_page_body')}>
      <Button variant="default" renderRoot={(props) => <Link to="/" {...props} />}>
        {t('nav.dashboard')}
      </Button>
      <Button variant="subtle" renderRoot={(props) => <Link to="/runs" {...props} />}>
        {t('nav.runs')}
      </Button>
    </EmptyState>
  );
}
