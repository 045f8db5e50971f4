import createClient, { type Middleware } from 'openapi-fetch';
import { ApiProblem } from './problem';
import { setReachable } from './reachable';
import type { paths } from './schema';

/** Every answer, even an error, shows that the server is there. */
const watch: Middleware = {
  onResponse: () => setReachable(true),
  onError: ({ error }) => {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    setReachable(false);
    return ApiProblem.unreachable();
  },
};

/** The generated client. Components use the hooks beside it. */
export const api = createClient<paths>({
  baseUrl: `${location.origin}/`,
  querySerializer: { array: { style: 'form', explode: true } },
});
api.use(watch);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a success; everything else is thrown as an ApiProblem. */
export async function body<T>(request: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await request;
  if (!response.ok) throw ApiProblem.from(response, error);
  return data as T;
}
