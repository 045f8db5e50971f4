import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { refreshLists } from '../backtests';
import { keys } from '../keys';
import { onReachable } from '../reachable';
import { type ConnectionState, connect } from './connection';
import type { Frame } from './frames';
import { type LiveRun, NOTHING_YET, reduceFrames } from './reducer';

export interface Watched {
  run: LiveRun;
  connection: ConnectionState;
}

/** Without live updates the run's end is still noticed. */
const ASK_MS = 5000;

const address = (id: string, after: number) =>
  `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/backtest/${encodeURIComponent(id)}?after=${after}`;

/**
 * A run as it happens. Frames are gathered and shown once per animation frame; when the run has ended, what is
 * known of it elsewhere is asked for again.
 */
export function useLiveRun(id: string): Watched {
  const client = useQueryClient();
  const [watched, setWatched] = useState<Watched>(FIRST);
  const shown = useRef(id);
  useEffect(() => {
    let run = NOTHING_YET;
    let connection: ConnectionState = FIRST.connection;
    let waiting: Frame[] = [];
    let scheduled = false;
    let gone = false;
    let asking: ReturnType<typeof setInterval> | undefined;
    const show = () => {
      scheduled = false;
      if (gone) return;
      run = reduceFrames(run, waiting);
      waiting = [];
      setWatched({ run, connection });
    };
    const soon = () => {
      if (scheduled) return;
      scheduled = true;
      // A page in the background has no animation frames, and still wants its title to count.
      if (document.hidden) setTimeout(show, 250);
      else requestAnimationFrame(show);
    };
    shown.current = id;
    setWatched(FIRST);
    const socket = connect({
      url: (after) => address(id, after),
      after: () => reduceFrames(run, waiting).seq,
      onFrame: (frame) => {
        waiting.push(frame);
        soon();
      },
      onState: (state) => {
        connection = state;
        soon();
        if (state.phase !== 'closed') return;
        const ask = () => void client.invalidateQueries({ queryKey: keys.backtest(id) });
        ask();
        if (state.reason !== 'final') asking ??= setInterval(ask, ASK_MS);
        void refreshLists(client);
      },
    });
    const nudge = () => {
      if (!document.hidden) socket.nudge();
    };
    const unwatch = onReachable(nudge);
    document.addEventListener('visibilitychange', nudge);
    return () => {
      gone = true;
      clearInterval(asking);
      unwatch();
      document.removeEventListener('visibilitychange', nudge);
      socket.close();
    };
  }, [id, client]);
  return shown.current === id ? watched : FIRST;
}

const FIRST: Watched = { run: NOTHING_YET, connection: { phase: 'connecting' } };
