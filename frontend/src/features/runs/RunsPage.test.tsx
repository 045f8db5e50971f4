import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  RouterProvider,
} from '@tanstack/react-router';
import { cleanup, configure, fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { BacktestSummary } from '@/api';
import base from '@/i18n/en';
import words from '@/i18n/en/runs';
import { RunsPage } from './RunsPage';
import { readRunsSearch } from './search';
import { clearSelection } from './selection';

// the client takes hold of `fetch` when it is imported
const server = vi.hoisted(() => {
  const it = { answer: (_request: Request): Promise<Response> => Promise.reject(new Error('not served')) };
  globalThis.fetch = ((request: Request) => it.answer(request)) as typeof fetch;
  return it;
});

// asking jsdom what is visible takes seconds
configure({ defaultHidden: true, asyncUtilTimeout: 5000 });
vi.setConfig({ testTimeout: 15_000 });

const run = (n: number, part: Partial<BacktestSummary> = {}): BacktestSummary => ({
  backtest_id: `bt-${String(n).padStart(12, '0')}`,
  name: `Run ${n}`,
  status: 'completed',
  strategy_type: 'macd',
  symbols: ['AAPL'],
  symbol_count: 1,
  start_date: '2005-01-03',
  end_date: '2012-12-31',
  timeframe: '1d',
  data_source: 'demo',
  initial_capital: 100_000,
  tags: ['a'],
  starred: false,
  has_notes: false,
  priority: 'normal',
  created_at: '2026-11-26T12:00:00.000000Z',
  started_at: '2026-11-26T12:00:00.000000Z',
  completed_at: '2026-11-26T12:00:01.000000Z',
  duration_seconds: 1,
  execution_seconds: 1.3,
  progress: 100,
  current_step: null,
  estimated_duration: null,
  partial: false,
  metrics: { total_return: 0.5, cagr: 0.1, sharpe: 1.25, max_drawdown: -0.2, trades: 7 },
  null_reasons: {},
  sparkline: [1, 1.2, 1.5],
  fingerprint: 'f',
  cached_from: null,
  rerun_of: null,
  deleted_at: null,
  error: null,
  ...part,
});

let runs: BacktestSummary[] = [];
let total = 0;
const asked: URL[] = [];
const posted: { path: string; body: Record<string, unknown> }[] = [];

async function serve(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const answer = (body: unknown) => Response.json(body);
  if (request.method !== 'GET') {
    const body = (await request.json()) as { ids: string[]; action: string };
    posted.push({ path: `${request.method} ${url.pathname}`, body });
    if (!url.pathname.endsWith('/bulk')) {
      runs = runs.map((item) => (url.pathname.endsWith(item.backtest_id) ? { ...item, ...body } : item));
      return answer(runs[0]);
    }
    return answer({
      items: body.ids.map((id) => ({ backtest_id: id, status: null, new_backtest_id: null, error: null })),
    });
  }
  if (url.pathname.endsWith('/facets')) return answer({ items: [{ value: 'a', count: 3 }], total: 1 });
  asked.push(url);
  const [limit, offset] = ['limit', 'offset'].map((name) => Number(url.searchParams.get(name) ?? 0));
  const nothing = url.searchParams.get('q') === 'nothing' || url.searchParams.has('deleted');
  const active = url.searchParams.getAll('status').includes('running');
  const found = nothing || active ? [] : runs;
  return answer({
    items: found.slice(offset, (offset as number) + (limit as number)),
    next_cursor: null,
    total: nothing || active ? 0 : total,
  });
}

beforeAll(async () => {
  vi.stubGlobal('matchMedia', () => ({
    matches: false,
    addEventListener: () => {},
    removeEventListener: () => {},
  }));
  vi.stubGlobal(
    'ResizeObserver',
    class {
      observe() {}
      unobserve() {}
      disconnect() {}
    },
  );
  vi.stubGlobal('scrollTo', () => {});
  server.answer = serve;
  await i18next.use(initReactI18next).init({
    lng: 'en',
    resources: { en: { translation: { ...base, ...words } } },
    interpolation: { escapeValue: false },
  });
});
beforeEach(() => {
  runs = [
    run(1),
    run(2, { starred: true, metrics: { ...run(2).metrics, total_return: -0.1 } }),
    run(3, {
      status: 'failed',
      metrics: null,
      sparkline: [],
      error: { code: 'crash_loop', message: 'the worker died 3 times', stage: null, details: {} },
    }),
  ];
  total = 3;
  asked.length = 0;
  posted.length = 0;
  clearSelection();
});
afterEach(cleanup);

function show(address = '/runs') {
  const root = createRootRoute();
  const page = createRoute({
    getParentRoute: () => root,
    path: '/runs',
    validateSearch: readRunsSearch,
    component: RunsPage,
  });
  const one = createRoute({ getParentRoute: () => root, path: '/runs/$id', component: () => <p>a run</p> });
  const router = createRouter({
    routeTree: root.addChildren([page, one]),
    history: createMemoryHistory({ initialEntries: [address] }),
  });
  render(
    <MantineProvider withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        {/* biome-ignore lint/suspicious/noExplicitAny: another router than the application's */}
        <RouterProvider router={router as any} />
        <Notifications />
      </QueryClientProvider>
    </MantineProvider>,
  );
  return router;
}

const rowOf = async (name: string) => {
  const found = (await screen.findByText(name)).closest<HTMLElement>('[role="row"]');
  if (!found) throw new Error(`no row of ${name}`);
  return found;
};

it('shows figures, and spends the figures of a failed run on its reason', async () => {
  show();
  const first = await rowOf('Run 1');
  for (const text of ['+50.0%', '1.25', '−20.0%', '7', '1.3 s', 'Completed']) within(first).getByText(text);
  const failed = await rowOf('Run 3');
  within(failed).getByTitle(/worker/i);
  expect(within(failed).queryByText('—')).toBeNull();
});

it('asks the server for what the address says, and writes into the address what is asked for', async () => {
  const router = show('/runs?view=failed&sort=-sharpe&min_sharpe=1');
  await rowOf('Run 1');
  const question = asked.find((url) => url.searchParams.get('limit') === '100')?.searchParams;
  expect(question?.getAll('status')).toEqual(['failed']);
  expect([question?.get('sort'), question?.get('min_sharpe')]).toEqual(['-sharpe', '1']);
  screen.getByText('Sharpe ≥ 1');
  fireEvent.click(screen.getByRole('button', { name: /Max DD/ }));
  await waitFor(() => expect(router.state.location.search).toMatchObject({ sort: 'max_drawdown' }));
  fireEvent.click(screen.getByRole('button', { name: 'Clear filters' }));
  await waitFor(() => expect(router.state.location.search).toEqual({ sort: 'max_drawdown' }));
});

it('searches when the typing pauses', async () => {
  const router = show();
  await rowOf('Run 1');
  fireEvent.change(screen.getByRole('searchbox'), { target: { value: 'nothing ' } });
  await screen.findByText('No run matches these filters');
  expect(router.state.location.search).toEqual({ q: 'nothing' });
});

it('reads only the pages in sight of a long list', async () => {
  runs = Array.from({ length: 100 }, (_, i) => run(i));
  total = 50_000;
  show();
  const row = await rowOf('Run 1');
  expect(row.closest('[role="table"]')?.getAttribute('aria-rowcount')).toBe('50001');
  expect(screen.getAllByRole('row').length).toBeLessThan(60);
  const pages = asked.filter((url) => url.searchParams.get('limit') === '100');
  expect(new Set(pages.map((url) => url.searchParams.get('offset')))).toEqual(new Set(['0']));
});

it('moves, selects and opens by keys', async () => {
  const router = show();
  await rowOf('Run 1');
  const press = (key: string) => fireEvent.keyDown(document.body, { key });
  press('j');
  press('x');
  press('j');
  press('x');
  await screen.findByText('2 selected');
  press('Escape');
  await waitFor(() => expect(screen.queryByText('2 selected')).toBeNull());
  press('Enter');
  await screen.findByText('a run');
  expect(router.state.location.pathname).toBe(`/runs/${run(2).backtest_id}`);
});

it('deletes what is selected in one request, and takes it back', async () => {
  show();
  fireEvent.click(within(await rowOf('Run 1')).getByRole('checkbox'));
  fireEvent.click(within(await rowOf('Run 3')).getByRole('checkbox'));
  fireEvent.click(screen.getByRole('button', { name: 'Delete' }));
  const ids = [run(1).backtest_id, run(3).backtest_id];
  await screen.findByText('2 runs are in the bin.');
  expect(posted[0]).toMatchObject({
    path: 'POST /api/v1/backtests/bulk',
    body: { action: 'delete', ids },
  });
  expect(screen.queryByText('2 selected')).toBeNull();
  fireEvent.click(screen.getByRole('button', { name: 'Undo' }));
  await screen.findByText('2 runs are back.');
  expect(posted[1]?.body).toMatchObject({ action: 'restore', ids });
});

it('stars at once', async () => {
  show();
  fireEvent.click(within(await rowOf('Run 1')).getByRole('button', { name: 'Star Run 1' }));
  await waitFor(() =>
    expect(screen.getByRole('button', { name: 'Star Run 1' }).getAttribute('aria-pressed')).toBe('true'),
  );
  await waitFor(() =>
    expect(posted).toEqual([
      { path: `PATCH /api/v1/backtests/${run(1).backtest_id}`, body: { starred: true } },
    ]),
  );
});

it('nothing in the bin is not nothing at all', async () => {
  show('/runs?bin=true');
  await screen.findByText('The bin is empty');
  cleanup();
  total = 0;
  runs = [];
  show();
  await screen.findByText('Nothing has run yet');
});
