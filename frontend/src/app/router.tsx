import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { NotFoundPage, PageError } from '@/components/PageError';
import { DashboardPage } from '@/features/dashboard/DashboardPage';
import { readRunsSearch } from '@/features/runs/search';
import { withWords } from '@/i18n';
import { number, oneOf, optional, text } from '@/lib/url-state';
import { RESULT_TABS } from './result-tabs';
import { Shell } from './Shell';

const root = createRootRoute({ component: Shell, errorComponent: PageError });

const dashboard = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: DashboardPage,
});

const runs = createRoute({
  getParentRoute: () => root,
  path: '/runs',
  validateSearch: readRunsSearch,
  component: lazyRouteComponent(
    withWords('runs', () => import('@/features/runs/RunsPage')),
    'RunsPage',
  ),
});

const create = createRoute({
  getParentRoute: () => root,
  path: '/runs/new',
  validateSearch: optional((s) => ({ from: text(s.from), strategy: text(s.strategy) })),
  component: lazyRouteComponent(
    withWords('new', () => import('@/features/new-backtest/NewBacktestPage')),
    'NewBacktestPage',
  ),
});

const run = createRoute({
  getParentRoute: () => root,
  path: '/runs/$id',
  validateSearch: optional((s) => ({
    tab: oneOf(s.tab, RESULT_TABS),
    trade: number(s.trade),
    scale: oneOf(s.scale, ['linear', 'log']),
    range: oneOf(s.range, ['1m', '6m', '1y', '3y', '5y', 'all']),
    unit: oneOf(s.unit, ['growth']),
    drawdown: number(s.drawdown),
    symbol: text(s.symbol),
    rows: oneOf(s.rows, ['fills', 'events']),
  })),
  component: lazyRouteComponent(
    withWords('run', () => import('@/features/run/RunPage')),
    'RunPage',
  ),
});

const system = createRoute({
  getParentRoute: () => root,
  path: '/system',
  component: lazyRouteComponent(
    withWords('base', () => import('@/features/system/SystemPage')),
    'SystemPage',
  ),
});

export const router = createRouter({
  routeTree: root.addChildren([dashboard, runs, create, run, system]),
  defaultPreload: 'intent',
  // In place of the page, so that the navigation around it stays.
  defaultErrorComponent: PageError,
  defaultNotFoundComponent: NotFoundPage,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
