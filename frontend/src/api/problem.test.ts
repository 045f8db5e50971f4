import { expect, it } from 'vitest';
import { ApiProblem, isUnreachable } from './problem';
import { mayRetry, retryDelay } from './query-client';

const answer = (status: number, headers: Record<string, string> = {}) =>
  new Response(null, { status, headers });

it('a problem keeps its code, its wrong fields and when to try again', () => {
  const problem = ApiProblem.from(answer(429, { 'retry-after': '10' }), {
    code: 'queue_full',
    title: 'Queue full',
    detail: 'the queue is full',
    errors: [{ pointer: '/costs/slippage_bps', code: 'less_than', message: 'too much' }],
    details: { retry_after: 10 },
    request_id: 'req-1',
  });
  expect(problem).toMatchObject({ status: 429, code: 'queue_full', retryAfter: 10, requestId: 'req-1' });
  expect(problem.at('/costs')).toBe('too much');
  expect(problem.at('/costs/slippage_bps')).toBe('too much');
  expect(problem.at('/cost')).toBeUndefined();
});

it('an answer of something else, such as a proxy, still has a code', () => {
  const problem = ApiProblem.from(answer(502, { 'x-request-id': 'req-2' }), '<html>');
  expect(problem).toMatchObject({ code: 'http_502', requestId: 'req-2', retryAfter: null });
});

it('only what passes by itself is tried again, and as late as the server says', () => {
  const away = ApiProblem.from(answer(503, { 'retry-after': '5' }), { code: 'store_unavailable' });
  expect(mayRetry(0, away)).toBe(true);
  expect(mayRetry(2, away)).toBe(false);
  expect(retryDelay(0, away)).toBe(5000);
  for (const status of [404, 409, 422, 429, 500]) {
    expect(mayRetry(0, ApiProblem.from(answer(status), { code: 'x' }))).toBe(false);
  }
  expect(isUnreachable(ApiProblem.unreachable())).toBe(true);
  expect(mayRetry(0, ApiProblem.unreachable())).toBe(false);
});
