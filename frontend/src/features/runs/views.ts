/** Views as tabs: those that are always there, and the reader's own, kept in this browser. */
import { useSyncExternalStore } from 'react';
import { ACTIVE } from '@/api';
import { type RunsSearch, readRunsSearch, sameView, viewOf } from './search';

export const BUILT_IN = {
  all: {},
  active: { status: [...ACTIVE] },
  failed: { status: ['failed'] },
  starred: { starred: true },
} as const satisfies Record<string, RunsSearch>;
export type BuiltIn = keyof typeof BUILT_IN;
export const isBuiltIn = (view: string | undefined): view is BuiltIn =>
  view !== undefined && view in BUILT_IN;

export interface SavedView {
  id: string;
  name: string;
  search: RunsSearch;
}

const KEY = 'backproof.runs.views';
export const MOST_VIEWS = 30;
export const LONGEST_NAME = 40;

/** What an address means: links name a built-in view alone; whatever else is there stands above it. */
export function effective(search: RunsSearch): RunsSearch {
  if (!isBuiltIn(search.view)) return search;
  const { view, ...own } = search;
  return { ...BUILT_IN[view], ...own };
}

/** The tab that shows this: a built-in or saved view with the same filters and sort, else the saved one it came from. */
export function tabOf(
  search: RunsSearch,
  saved: readonly SavedView[],
): { tab: string | null; edited: boolean } {
  const shown = effective(search);
  const from = saved.find((view) => view.id === search.view);
  if (from) return { tab: from.id, edited: !sameView(from.search, shown) };
  // a sort is not part of a built-in view: sorting "Failed" keeps it that
  const { sort: _sort, ...filters } = viewOf(shown);
  const builtIn = (Object.keys(BUILT_IN) as BuiltIn[]).find((name) => sameView(BUILT_IN[name], filters));
  if (builtIn) return { tab: builtIn, edited: false };
  return { tab: saved.find((view) => sameView(view.search, shown))?.id ?? null, edited: false };
}

/** What was stored, by whichever version: anything unreadable is left out. */
export function readViews(stored: string | null): SavedView[] {
  try {
    const list: unknown = JSON.parse(stored ?? '[]');
    if (!Array.isArray(list)) return [];
    return list.flatMap((item: Partial<SavedView> | null) =>
      typeof item?.id === 'string' && typeof item.name === 'string' && item.name.trim() && item.search
        ? [
            {
              id: item.id,
              name: item.name.slice(0, LONGEST_NAME),
              search: viewOf(readRunsSearch(item.search as Record<string, unknown>)),
            },
          ]
        : [],
    );
  } catch {
    return [];
  }
}

let views: SavedView[] | null = null;
const listeners = new Set<() => void>();
const current = (): SavedView[] => {
  views ??= readViews(localStorage.getItem(KEY));
  return views;
};

function write(next: SavedView[]) {
  views = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // no room or not allowed: the views last until the tab is closed
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  const fromOtherTab = (event: StorageEvent) => {
    if (event.key !== KEY && event.key !== null) return;
    views = null;
    listener();
  };
  listeners.add(listener);
  addEventListener('storage', fromOtherTab);
  return () => {
    listeners.delete(listener);
    removeEventListener('storage', fromOtherTab);
  };
}

export const useSavedViews = (): readonly SavedView[] => useSyncExternalStore(subscribe, current);

export function saveView(name: string, search: RunsSearch): SavedView {
  const view = {
    id: `v-${Math.random().toString(36).slice(2, 10)}`,
    name: name.trim().slice(0, LONGEST_NAME),
    search: viewOf(effective(search)),
  };
  write([...current(), view].slice(-MOST_VIEWS));
  return view;
}

export const changeView = (id: string, change: { name?: string; search?: RunsSearch }) =>
  write(
    current().map((view) =>
      view.id === id
        ? {
            ...view,
            name: change.name?.trim().slice(0, LONGEST_NAME) || view.name,
            search: change.search ? viewOf(effective(change.search)) : view.search,
          }
        : view,
    ),
  );

export const removeView = (id: string) => write(current().filter((view) => view.id !== id));
