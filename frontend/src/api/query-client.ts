import { QueryClient } from '@tanstack/react-query';
import { api } from './client';
import { ApiProblem } from './problem';
import { isReachable, onReachable } from './reachable';

const RETRIES = 2;
const PROBE_MS = 2000;

/** Only what may pass by itself is tried again: 503 with its Retry-After. A wrong question stays wrong. */
export function mayRetry(failures: number, error: unknown): boolean {
  return failures < RETRIES && error instanceof ApiProblem && error.status === 503;
}

export const retryDelay = (failures: number, error: unknown): number =>
  error instanceof ApiProblem && error.retryAfter !== null ? error.retryAfter * 1000 : 500 * 2 ** failures;

export const queryClient = new QueryClient({
  defaultOptions: {
    // The server is on this machine or this network: the browser's idea of being online says nothing about it.
    queries: { staleTime: 10_000, retry: mayRetry, retryDelay, networkMode: 'always' },
    mutations: { networkMode: 'always' },
  },
});

/** Any answer shows that the server is there; none, that it is away. */
export const askWhetherItIsThere = () => api.GET('/health/live').catch(() => undefined);

/** While the server is away, ask for it; when it is back, everything on the screen is asked for again. */
export function watchServer(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const probe = async () => {
    await askWhetherItIsThere();
    if (!isReachable()) timer = setTimeout(probe, PROBE_MS);
  };
  onReachable(() => {
    clearTimeout(timer);
    if (isReachable()) {
      void queryClient.invalidateQueries();
    } else timer = setTimeout(probe, PROBE_MS);
  });
}
