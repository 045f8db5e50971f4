import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { keys, useActiveBacktests } from '@/api';

/** When a run stops waiting or working, or a new one comes, lists and counts on the screen are asked for again. */
export function useRefreshAsRunsEnd(): void {
  const client = useQueryClient();
  const active = useActiveBacktests().data;
  const seen = useRef<string | null>(null);
  useEffect(() => {
    if (!active) return;
    const now = active.items.map((run) => `${run.backtest_id} ${run.status}`).join();
    if (seen.current !== null && seen.current !== now) {
      void client.invalidateQueries({ queryKey: keys.lists });
      void client.invalidateQueries({ queryKey: keys.count });
    }
    seen.current = now;
  }, [active, client]);
}
