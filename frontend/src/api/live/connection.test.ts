import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CLOSE_CODES, type Connection, type ConnectionState, connect, retryDelay } from './connection';
import type { Frame } from './frames';
import { frame, line, status } from './samples';

class FakeSocket {
  static all: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  closedWith: number | undefined | null = null;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  close(code?: number) {
    this.closedWith = code;
    this.onclose?.({ code: code ?? 1005 });
  }

  says(given: Frame) {
    this.onmessage?.({ data: JSON.stringify(given) });
  }

  static get newest(): FakeSocket {
    return FakeSocket.all.at(-1) as FakeSocket;
  }
}

const first = frame('initial_status', 0, { ...status(), equity: null });
let states: ConnectionState[] = [];
let frames: Frame[] = [];
let connection: Connection;
const open = () =>
  connect({
    url: (after) => `ws://here/ws?after=${after}`,
    after: () => Math.max(0, ...frames.map((f) => f.seq)),
    onFrame: (f) => frames.push(f),
    onState: (state) => states.push(state),
    random: () => 1,
  });

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeSocket);
  FakeSocket.all = [];
  states = [];
  frames = [];
  connection = open();
});
afterEach(() => {
  connection.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
const phases = () => states.map((state) => state.phase);

it('is live with the first frame and hands frames on', () => {
  expect(phases()).toEqual(['connecting']);
  FakeSocket.newest.says(first);
  FakeSocket.newest.says(line(1));
  expect(phases()).toEqual(['connecting', 'live']);
  expect(frames.map((f) => f.type)).toEqual(['initial_status', 'log']);
});

it('comes back after a loss and asks for what it has not seen', () => {
  FakeSocket.newest.says(first);
  FakeSocket.newest.says(line(7));
  FakeSocket.newest.onclose?.({ code: 1006 });
  expect(states.at(-1)).toEqual({ phase: 'reconnecting', attempt: 1, reason: 'lost' });
  vi.advanceTimersByTime(400);
  expect(FakeSocket.newest.url).toBe('ws://here/ws?after=7');
  FakeSocket.newest.says(first);
  expect(phases().at(-1)).toBe('live');
});

it('waits longer each time, and starts from the beginning once it was live', () => {
  for (const attempt of [1, 2, 3]) {
    FakeSocket.newest.onclose?.({ code: 1006 });
    expect(states.at(-1)).toMatchObject({ attempt });
    const before = FakeSocket.all.length;
    vi.advanceTimersByTime(400 * 2 ** (attempt - 1) - 1);
    expect(FakeSocket.all).toHaveLength(before);
    vi.advanceTimersByTime(1);
    expect(FakeSocket.all).toHaveLength(before + 1);
  }
  FakeSocket.newest.says(first);
  FakeSocket.newest.onclose?.({ code: 1012 });
  expect(states.at(-1)).toEqual({ phase: 'reconnecting', attempt: 1, reason: 'restart' });
});

it('waits at most ten seconds, and longer where there are too many viewers', () => {
  expect(retryDelay(30, 'lost', 1)).toBe(10_000);
  expect(retryDelay(30, 'lost', 0)).toBe(5000);
  expect(retryDelay(1, 'too_many', 1)).toBe(15_000);
});

it.each([
  [1000, 'final'],
  [4404, 'unknown'],
  [4400, 'refused'],
  [1008, 'refused'],
])('ends for good with %s', (code, reason) => {
  FakeSocket.newest.onclose?.({ code });
  expect(states.at(-1)).toEqual({ phase: 'closed', reason });
  vi.advanceTimersByTime(60_000);
  expect(FakeSocket.all).toHaveLength(1);
  connection.nudge();
  expect(FakeSocket.all).toHaveLength(1);
});

it('knows every close code that the server documents', () => {
  expect(Object.keys(CLOSE_CODES).map(Number)).toEqual([
    1000, 1001, 1008, 1011, 1012, 1013, 4400, 4404, 4429,
  ]);
});

it('tries at once when it is told that the server is back', () => {
  FakeSocket.newest.onclose?.({ code: 1006 });
  connection.nudge();
  expect(FakeSocket.all).toHaveLength(2);
  vi.advanceTimersByTime(10_000);
  expect(FakeSocket.all).toHaveLength(2);
});

it('gives up a connection that has gone silent', () => {
  FakeSocket.newest.onopen?.();
  FakeSocket.newest.says(first);
  vi.advanceTimersByTime(75_000);
  expect(phases().at(-1)).toBe('reconnecting');
});

it('tells nothing more after it was closed', () => {
  const socket = FakeSocket.newest;
  socket.says(first);
  connection.close();
  const told = states.length;
  socket.says(line(1));
  socket.onclose?.({ code: 1006 });
  vi.advanceTimersByTime(60_000);
  expect(states).toHaveLength(told);
  expect(frames).toHaveLength(1);
  expect(FakeSocket.all).toHaveLength(1);
});
