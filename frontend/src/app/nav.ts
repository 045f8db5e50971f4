import type { IconName } from '@/components/icons';

export const NAV = [
  { to: '/', key: 'dashboard', icon: 'dashboard' },
  { to: '/runs', key: 'runs', icon: 'runs' },
  { to: '/system', key: 'system', icon: 'system' },
] as const satisfies readonly { to: string; key: string; icon: IconName }[];

/** `/runs/new` is its own place; every other `/runs/…` belongs to Runs. */
export function isActive(path: string, to: string): boolean {
  if (to === '/' || to === '/runs/new') return path === to;
  return path.startsWith(to) && path !== '/runs/new';
}
