/** Backtests: find, read, submit, change, end. */
import {
  keepPreviousData,
  type QueryClient,
  type UseQueryResult,
  useMutation,
  useQueries,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { useCallback } from 'react';
import { api, body } from './client';
import { keys } from './keys';
import type { ApiProblem } from './problem';
import type {
  Backtest,
  BacktestFilters,
  BacktestInput,
  BacktestPatch,
  BacktestStatus,
  BacktestSummary,
  BulkAction,
  BulkOutcome,
  Facet,
  FacetAnswer,
  Schema,
  SubmitOptions,
  Submitted,
  Validation,
} from './types';
import { ACTIVE, isActive } from './types';

/** Rows of one page of the list. */
export const PAGE = 100;
/** Backtests that one bulk request may name. */
const MOST_AT_ONCE = 200;
const BUSY_MS = 1000;
const PAGE_KEPT_MS = 60_000;
const IDLE_MS = 5000;

type Page = Schema<'PageOut_BacktestSummaryOut_'>;

const listPage = (query: BacktestFilters & { limit?: number; offset?: number }, signal?: AbortSignal) =>
  body<Page>(api.GET('/api/v1/backtests', { params: { query }, signal }));

const pageQuery = (filters: BacktestFilters, page: number) => ({
  queryKey: [...keys.list(filters), 'page', page],
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    listPage({ ...filters, limit: PAGE, offset: page * PAGE }, signal),
  gcTime: PAGE_KEPT_MS,
});

export interface BacktestPages {
  /** By number; those that have not been read yet are missing. */
  pages: ReadonlyMap<number, readonly BacktestSummary[]>;
  /** `undefined` until one of them has been read. */
  total: number | undefined;
  error: Error | null;
  retry: () => void;
}

/** Some pages of a filtered and sorted list, wherever they are in it: who scrolls reads only what is in sight. */
export function useBacktestPages(filters: BacktestFilters, numbers: readonly number[]): BacktestPages {
  return useQueries({
    queries: numbers.map((page) => ({
      ...pageQuery(filters, page),
      // the first few of what is active are asked for all the time anyway, and so is when one of them ends
      refetchInterval: (query: { state: { data?: Page } }) =>
        query.state.data?.items.some((run) => run.status !== 'pending' && isActive(run.status))
          ? IDLE_MS
          : false,
    })),
    // the same answer is the same map: rows need not render
    combine: useCallback(
      (answers: UseQueryResult<Page>[]) => ({
        pages: new Map(
          answers.flatMap(({ data }, i) => (data ? [[numbers[i] as number, data.items] as const] : [])),
        ),
        total: newest(answers)?.data?.total,
        error: answers.find(({ error }) => error)?.error ?? null,
        retry: () => {
          for (const answer of answers) if (answer.isError) void answer.refetch();
        },
      }),
      [numbers],
    ),
  });
}

const newest = <T extends { dataUpdatedAt: number }>(answers: T[]): T | undefined =>
  answers.reduce<T | undefined>(
    (last, answer) => (last && last.dataUpdatedAt >= answer.dataUpdatedAt ? last : answer),
    undefined,
  );

/** Reads the first runs of a list, for an action on all of them. */
export const useReadBacktests = () => {
  const client = useQueryClient();
  return async (filters: BacktestFilters, most: number): Promise<BacktestSummary[]> => {
    const runs: BacktestSummary[] = [];
    for (let page = 0; page * PAGE < most; page += 1) {
      const { items, next_cursor } = await client.fetchQuery({
        ...pageQuery(filters, page),
        staleTime: 2000,
      });
      runs.push(...items);
      if (next_cursor === null) break;
    }
    return runs.slice(0, most);
  };
};

/** How many runs match; those that were deleted are only counted with `deleted`. */
export const useBacktestTotal = (filters: BacktestFilters) =>
  useQuery({
    queryKey: [...keys.list(filters), 'total'],
    queryFn: async ({ signal }) => (await listPage({ ...filters, limit: 1 }, signal)).total,
    placeholderData: keepPreviousData,
  });

/** What there is to filter by, the most frequent first. */
export const useBacktestFacet = (by: Facet, enabled: boolean) =>
  useQuery({
    queryKey: [...keys.backtests, 'facet', by],
    queryFn: async ({ signal }) =>
      (await body<FacetAnswer>(api.GET('/api/v1/backtests/facets', { params: { query: { by } }, signal })))
        .items,
    enabled,
    staleTime: 30_000,
    placeholderData: keepPreviousData,
  });

/** The newest runs of a kind, one short page. */
export const useLatestBacktests = (filters: BacktestFilters, limit: number) =>
  useQuery({
    queryKey: [...keys.list(filters), limit],
    queryFn: ({ signal }) => listPage({ ...filters, limit }, signal),
  });

/** What waits or works now, oldest first; asked for often while there is something. */
export const useActiveBacktests = () =>
  useQuery({
    queryKey: keys.active,
    queryFn: ({ signal }) => listPage({ status: [...ACTIVE], sort: 'created_at', limit: 20 }, signal),
    refetchInterval: (query) => (query.state.data?.items.length ? BUSY_MS : IDLE_MS),
  });

/** How many runs there are at all. */
export const useBacktestCount = () =>
  useQuery({
    queryKey: keys.count,
    queryFn: async ({ signal }) => (await listPage({ limit: 1 }, signal)).total,
  });

export const useBacktest = (id: string) =>
  useQuery({
    queryKey: keys.backtest(id),
    queryFn: ({ signal }) =>
      body<Backtest>(
        api.GET('/api/v1/backtests/{backtest_id}', { params: { path: { backtest_id: id } }, signal }),
      ),
  });

const statusQuery = (id: string) => ({
  queryKey: keys.status(id),
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    body<BacktestStatus>(
      api.GET('/api/v1/backtests/{backtest_id}/status', { params: { path: { backtest_id: id } }, signal }),
    ),
});

/** Place in the queue and expected times of several runs; for one run that is open, use `useLiveRun`. */
export const useStatuses = (ids: readonly string[]) =>
  useQueries({
    queries: ids.map((id) => ({ ...statusQuery(id), refetchInterval: 2 * BUSY_MS })),
    combine: (answers) =>
      new Map(answers.flatMap(({ data }) => (data ? [[data.backtest_id, data] as const] : []))),
  });

/** Where one run stands, asked once: of a run that has ended, whether a checkpoint is there to go on from. */
export const useStatus = (id: string, enabled = true) => useQuery({ ...statusQuery(id), enabled });

/** What a submission would meet. Give it a debounced draft; `null` asks nothing. */
export const useValidation = (draft: BacktestInput | Record<string, unknown> | null) =>
  useQuery({
    queryKey: keys.validation(draft),
    enabled: draft !== null,
    queryFn: ({ signal }) =>
      body<Validation>(
        api.POST('/api/v1/backtests/validate', { body: draft as Record<string, unknown>, signal }),
      ),
    placeholderData: keepPreviousData,
    staleTime: 5000,
  });

/** A new key per intention makes a repeated click or a retried request the same backtest. */
export const newIdempotencyKey = (): string => crypto.randomUUID();

export interface Submission {
  backtest: BacktestInput;
  options?: SubmitOptions;
  idempotencyKey?: string;
}

export const useSubmitBacktest = () => {
  const client = useQueryClient();
  return useMutation<Submitted, ApiProblem, Submission>({
    mutationFn: ({ backtest, options, idempotencyKey }) =>
      body(
        api.POST('/api/v1/backtests', {
          params: { query: options, header: { 'Idempotency-Key': idempotencyKey } },
          body: backtest as Schema<'BacktestIn'>,
        }),
      ),
    // Not waited for: whoever submits goes on to the new run at once.
    onSuccess: () => void refreshLists(client),
  });
};

const one = (id: string) => ({ params: { path: { backtest_id: id } } });

export const useCancelBacktest = () =>
  useChange<BacktestStatus>((id) => body(api.POST('/api/v1/backtests/{backtest_id}/cancel', one(id))));

export const useResumeBacktest = () =>
  useChange<BacktestStatus>((id) => body(api.POST('/api/v1/backtests/{backtest_id}/resume', one(id))));

/** Into the bin, for a day (BIN_RETENTION_HOURS); `useRestoreBacktest` takes it out again. */
export const useDeleteBacktest = () =>
  useChange<void>((id) =>
    body<unknown>(api.DELETE('/api/v1/backtests/{backtest_id}', one(id))).then(() => undefined),
  );

export const useRestoreBacktest = () =>
  useChange<Backtest>((id) => body(api.POST('/api/v1/backtests/{backtest_id}/restore', one(id))));

/** A new backtest of the same description; computed again unless `use_cache` is set. */
export const useRerunBacktest = () => {
  const client = useQueryClient();
  return useMutation<Submitted, ApiProblem, { id: string; use_cache?: boolean }>({
    mutationFn: ({ id, use_cache }) =>
      body(
        api.POST('/api/v1/backtests/{backtest_id}/rerun', {
          params: { path: { backtest_id: id }, query: { use_cache } },
        }),
      ),
    // Not waited for: whoever submits goes on to the new run at once.
    onSuccess: () => void refreshLists(client),
  });
};

/** One action on many runs: an outcome for each, in the order of `ids`, however many there are. */
export const useBulkAction = () => {
  const client = useQueryClient();
  return useMutation<BulkOutcome[], ApiProblem, BulkAction>({
    mutationFn: async ({ ids, ...action }) => {
      const outcomes: BulkOutcome[] = [];
      for (let first = 0; first < ids.length; first += MOST_AT_ONCE) {
        const some = ids.slice(first, first + MOST_AT_ONCE);
        const answer = await body<Schema<'BulkOut'>>(
          api.POST('/api/v1/backtests/bulk', {
            body: { add_tags: [], remove_tags: [], ...action, ids: some },
          }),
        );
        outcomes.push(...answer.items);
      }
      return outcomes;
    },
    onMutate: ({ action, ids }) => {
      if (action === 'delete') removeFromLists(client, new Set(ids));
    },
    onSettled: async (_data, _error, { ids }) => {
      for (const id of ids) void client.invalidateQueries({ queryKey: keys.backtest(id) });
      await refreshLists(client);
    },
  });
};

/** Name, tags, notes, star, priority. Shown at once, taken back if the server refuses. */
export const useUpdateBacktest = () => {
  const client = useQueryClient();
  return useMutation<Backtest, ApiProblem, { id: string; patch: BacktestPatch }>({
    mutationFn: ({ id, patch }) =>
      body(
        api.PATCH('/api/v1/backtests/{backtest_id}', { params: { path: { backtest_id: id } }, body: patch }),
      ),
    onMutate: ({ id, patch }) => changeInLists(client, id, patch),
    onSuccess: (run) => client.setQueryData(keys.backtest(run.backtest_id), run),
    onSettled: () => refreshLists(client),
  });
};

function useChange<T>(act: (id: string) => Promise<T>) {
  const client = useQueryClient();
  return useMutation<T, ApiProblem, string>({
    mutationFn: act,
    onSettled: async (_data, _error, id) => {
      await Promise.all([refreshLists(client), client.invalidateQueries({ queryKey: keys.backtest(id) })]);
    },
  });
}

export const refreshLists = (client: QueryClient) => client.invalidateQueries({ queryKey: keys.backtests });

/** What works cannot be deleted and stays; the lists are read again when the server has answered. */
function removeFromLists(client: QueryClient, ids: ReadonlySet<string>): void {
  const goes = (run: BacktestSummary) =>
    ids.has(run.backtest_id) && run.status !== 'running' && run.status !== 'cancelling';
  client.setQueriesData<Page | number>({ queryKey: keys.lists }, (data) => {
    if (typeof data !== 'object') return data;
    const items = data.items.filter((run) => !goes(run));
    return { ...data, items, total: data.total - (data.items.length - items.length) };
  });
}

function changeInLists(client: QueryClient, id: string, patch: BacktestPatch): void {
  const { notes, ...rest } = patch;
  const seen: Partial<BacktestSummary> = {
    ...(Object.fromEntries(Object.entries(rest).filter(([, value]) => value != null)) as object),
    ...(notes != null && { has_notes: notes !== '' }),
  };
  const changed = (run: BacktestSummary) => (run.backtest_id === id ? { ...run, ...seen } : run);
  const inPage = (page: Page): Page => ({ ...page, items: page.items.map(changed) });
  client.setQueriesData<Page | number>({ queryKey: keys.lists }, (data) =>
    typeof data === 'object' ? inPage(data) : data,
  );
}
