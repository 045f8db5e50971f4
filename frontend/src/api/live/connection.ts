/** One WebSocket that comes back by itself and goes on where it stopped. */
import { type Frame, parseFrame } from './frames';

/** connecting: the first time · live · reconnecting: lost, tried again · closed: for good. */
export type ConnectionState =
  | { phase: 'connecting' | 'live' }
  | { phase: 'reconnecting'; attempt: number; reason: LostReason }
  | { phase: 'closed'; reason: ClosedReason };

export type LostReason = 'lost' | 'too_many' | 'busy' | 'restart';
/** final: the run has ended · unknown: there is no such run · refused: this client did something wrong. */
export type ClosedReason = 'final' | 'unknown' | 'refused' | 'left';

/** The documented close codes: what they mean, and whether trying again can help. */
export const CLOSE_CODES: Readonly<Record<number, { closed: ClosedReason } | { lost: LostReason }>> = {
  1000: { closed: 'final' },
  1001: { lost: 'restart' },
  1008: { closed: 'refused' },
  1011: { lost: 'busy' },
  1012: { lost: 'restart' },
  1013: { lost: 'busy' },
  4400: { closed: 'refused' },
  4404: { closed: 'unknown' },
  4429: { lost: 'too_many' },
};

const FIRST_MS = 400;
const MOST_MS = 10_000;
const TOO_MANY_MS = 15_000;
/** Two heartbeats and a half: a connection that says nothing for so long is dead. */
const SILENCE_MS = 75_000;

export interface ConnectionOptions {
  url: (after: number) => string;
  /** Number of the last kept event. */
  after: () => number;
  onFrame: (frame: Frame) => void;
  onState: (state: ConnectionState) => void;
  /** Between 0 and 1; spreads the attempts of many viewers. */
  random?: () => number;
}

export interface Connection {
  close: () => void;
  /** Try now instead of waiting. */
  nudge: () => void;
}

export function retryDelay(attempt: number, reason: LostReason, random: number): number {
  const most = reason === 'too_many' ? TOO_MANY_MS : Math.min(MOST_MS, FIRST_MS * 2 ** (attempt - 1));
  return most * (0.5 + random / 2);
}

export function connect({
  url,
  after,
  onFrame,
  onState,
  random = Math.random,
}: ConnectionOptions): Connection {
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;
  let over = false;

  const open = () => {
    const opened = new WebSocket(url(after()));
    socket = opened;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => opened.close(), SILENCE_MS);
    };
    opened.onopen = heard;
    opened.onmessage = (message: MessageEvent<string>) => {
      if (socket !== opened) return;
      heard();
      const frame = parseFrame(message.data);
      if (!frame) return;
      if (frame.type === 'initial_status') {
        attempt = 0;
        onState({ phase: 'live' });
      }
      onFrame(frame);
    };
    opened.onclose = ({ code }) => {
      if (socket !== opened) return;
      socket = null;
      clearTimeout(silence);
      if (!over) lost(code);
    };
  };

  const lost = (code: number) => {
    const meaning = CLOSE_CODES[code] ?? { lost: 'lost' as const };
    if ('closed' in meaning) {
      over = true;
      onState({ phase: 'closed', reason: meaning.closed });
      return;
    }
    attempt += 1;
    onState({ phase: 'reconnecting', attempt, reason: meaning.lost });
    timer = setTimeout(open, retryDelay(attempt, meaning.lost, random()));
  };

  onState({ phase: 'connecting' });
  open();
  return {
    close: () => {
      over = true;
      clearTimeout(timer);
      clearTimeout(silence);
      const opened = socket;
      socket = null;
      opened?.close(1000);
    },
    nudge: () => {
      if (over || socket) return;
      clearTimeout(timer);
      open();
    },
  };
}
