import { useNavigate } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import {
  type ApiProblem,
  type BacktestInput,
  newIdempotencyKey,
  type SubmitOptions,
  useSubmitBacktest,
} from '@/api';

export interface Failure {
  problem: ApiProblem;
  /** What was refused: an answer about an older draft says nothing of this one. */
  input: BacktestInput;
  at: number;
}

/**
 * One submission per intention. The key stays the same until what is sent changes, so that a second click, and a
 * retry after an answer that never came, are the same run.
 */
export function useSubmission(onSubmitted: () => void) {
  const navigate = useNavigate();
  const submit = useSubmitBacktest();
  const busy = useRef(false);
  const intention = useRef({ text: '', key: '' });
  const [failure, setFailure] = useState<Failure | null>(null);
  const send = (backtest: BacktestInput, options: SubmitOptions) => {
    if (busy.current) return;
    busy.current = true;
    setFailure(null);
    const text = JSON.stringify([backtest, options]);
    if (intention.current.text !== text) intention.current = { text, key: newIdempotencyKey() };
    submit.mutate(
      { backtest, options, idempotencyKey: intention.current.key },
      {
        onSuccess: ({ backtest_id }) => {
          onSubmitted();
          void navigate({ to: '/runs/$id', params: { id: backtest_id } });
        },
        onError: (problem) => {
          busy.current = false;
          setFailure({ problem, input: backtest, at: Date.now() });
        },
      },
    );
  };
  return { send, failure, pending: submit.isPending || submit.isSuccess };
}
