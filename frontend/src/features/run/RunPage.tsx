import { useParams } from '@tanstack/react-router';
import { ApiProblem, isActive, useBacktest } from '@/api';
import { PageError } from '@/components/PageError';
import { PageSkeleton } from '@/components/States';
import { EndedPage } from './ended/EndedPage';
import { LivePage } from './live/LivePage';
import { MissingRun } from './MissingRun';
import { ResultPage } from './result/ResultPage';

/** One address for a run's whole life: live while it waits or works, then what came of it. */
export function RunPage() {
  const { id } = useParams({ from: '/runs/$id' });
  const query = useBacktest(id);
  const { data: run, error } = query;
  if (error instanceof ApiProblem && error.status === 404) return <MissingRun id={id} />;
  if (!run) {
    if (error) return <PageError error={error} onRetry={() => void query.refetch()} />;
    return <PageSkeleton heights={[56, 84, 440, 300]} />;
  }
  if (isActive(run.status)) return <LivePage key={id} run={run} />;
  if (run.result) return <ResultPage key={id} run={run} />;
  return <EndedPage key={id} run={run} />;
}
