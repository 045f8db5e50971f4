import { type Ready, useReachable, useReady } from '@/api';

export type HealthPart = 'server' | 'store' | 'broker' | 'workers' | 'live_updates';

/** What is limited now, the worst first; `null`: nothing. */
export function limitedPart(ready: Ready | undefined, reachable: boolean): HealthPart | null {
  if (!reachable) return 'server';
  if (!ready) return null;
  if (ready.store !== 'ok') return 'store';
  if (ready.broker !== 'ok') return 'broker';
  if (ready.workers === 0) return 'workers';
  return ready.live_updates === 'ok' ? null : 'live_updates';
}

export function useHealth() {
  const ready = useReady().data;
  const reachable = useReachable();
  return { ready, reachable, limited: limitedPart(ready, reachable) };
}
