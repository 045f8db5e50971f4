import { MantineProvider } from '@mantine/core';
import { cleanup, configure, render, screen } from '@testing-library/react';
import i18next from 'i18next';
import type { ReactNode } from 'react';
import { initReactI18next } from 'react-i18next';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BacktestInput, BacktestStatus, ConnectionState, LiveRun, RunError } from '@/api';
import { StageStepper } from '@/components/StageStepper';
import live from '@/i18n/en/live.json';
import dictionary from '@/i18n/en/notice.json';
import result from '@/i18n/en/result.json';
import shell from '@/i18n/en/shell.json';
import words from '@/i18n/en/words.json';
import ko from '@/i18n/ko/run';
import { Failure } from '../ended/Failure';
import { ServerNotices } from '../notices/ServerNotices';
import { ConnectionNotice } from './ConnectionNotice';
import { Waiting } from './Waiting';

// asking jsdom what is visible takes seconds
configure({ defaultHidden: true });
beforeAll(async () => {
  vi.stubGlobal('matchMedia', () => ({
    matches: false,
    addEventListener: () => {},
    removeEventListener: () => {},
  }));
  await i18next.use(initReactI18next).init({
    lng: 'en',
    resources: { en: { translation: { ...shell, ...words, ...live, ...result, ...dictionary } } },
    interpolation: { escapeValue: false },
  });
});
afterEach(cleanup);

const show = (node: ReactNode) =>
  render(
    <MantineProvider withCssVariables={false} withGlobalClasses={false}>
      {node}
    </MantineProvider>,
  ).container;

const STATUS: BacktestStatus = {
  backtest_id: 'bt-000000000000',
  status: 'queued',
  progress: 0,
  current_step: null,
  bars_done: 0,
  total_bars: 0,
  fills: 0,
  eta_seconds: 30,
  queue_position: 3,
  estimated_duration: 12,
  attempt: 0,
  priority: 'normal',
  checkpoint_bar: null,
  waiting_for: [],
  created_at: '2026-01-01T00:00:00Z',
  started_at: null,
  completed_at: null,
  error: null,
  seq: 1,
};
const LIVE = { live: true, reason: null } as LiveRun;
const since = STATUS.created_at;
const CONFIG: BacktestInput = { name: 'a run', strategy_type: 'buy_and_hold', symbols: ['TSLA'] };

describe('waiting', () => {
  it('says the place in the queue, when it starts and when it is done', () => {
    const text = show(<Waiting status={STATUS} since={since} config={CONFIG} />).textContent;
    expect(text).toContain('No. 3 in the queue');
    expect(text).toContain('starts in about 18 s');
    expect(text).toContain('30 s');
  });

  it('says what it cannot know', () => {
    const status = { ...STATUS, queue_position: 1, eta_seconds: null, estimated_duration: null };
    const text = show(<Waiting status={status} since={since} config={CONFIG} />).textContent;
    expect(text).toContain('Next in the queue');
    expect(text).toContain(live.waiting.unknown);
    expect(text).toContain(live.waiting.duration_unknown);
  });

  it('names the data that is missing', () => {
    const waiting_for = [{ pointer: '/symbols/0', code: 'unknown_symbol', message: "no bars of 'TSLA'" }];
    const text = show(
      <Waiting status={{ ...STATUS, status: 'pending', waiting_for }} since={since} config={CONFIG} />,
    ).textContent;
    expect(text).toContain("no bars of 'TSLA'");
    expect(text).toContain('backproof import');
  });

  it("names it in the reader's language", async () => {
    i18next.addResourceBundle('ko', 'translation', ko);
    await i18next.changeLanguage('ko');
    const waiting_for = [{ pointer: '/symbols/0', code: 'unknown_symbol', message: "no bars of 'TSLA'" }];
    const { textContent } = show(
      <Waiting status={{ ...STATUS, status: 'pending', waiting_for }} since={since} config={CONFIG} />,
    );
    await i18next.changeLanguage('en');
    expect(textContent).toContain('데이터에 없는 종목: TSLA');
    expect(textContent).not.toContain('no bars');
  });
});

describe('the connection', () => {
  const text = (connection: ConnectionState, run: LiveRun = LIVE) =>
    show(<ConnectionNotice connection={connection} live={run} />).textContent;

  it('is not mentioned while all is well, or once the run has ended', () => {
    expect(text({ phase: 'connecting' })).toBe('');
    expect(text({ phase: 'live' })).toBe('');
    expect(text({ phase: 'closed', reason: 'final' })).toBe('');
  });

  it.each(['lost', 'too_many', 'busy', 'restart'] as const)('lost for a reason: %s', (reason) => {
    const said = text({ phase: 'reconnecting', attempt: 1, reason });
    expect(said).toContain(live.connection[reason]);
    expect(said).toContain(live.connection.last_state);
  });

  it('refused for good can be tried again by hand', () => {
    expect(text({ phase: 'closed', reason: 'refused' })).toContain(live.connection.refused);
    expect(screen.getByRole('button').textContent).toBe(shell.problem.reload);
  });

  it('updates from the store are slower, and say why', () => {
    const slower = { ...LIVE, live: false, reason: 'the broker does not answer' };
    expect(text({ phase: 'live' }, slower)).toContain('the broker does not answer');
  });
});

describe('the stages', () => {
  const bars = { done: 500, total: 2000, checkpoint: 400 };

  it('say what is done of each, and where the checkpoint is', () => {
    const page = show(<StageStepper stage="simulate" percent={67.5} bars={bars} seconds={{ simulate: 5 }} />);
    const states = [...page.querySelectorAll('li')].map((item) => item.dataset.state);
    expect(states).toEqual(['done', 'done', 'current', 'waiting']);
    expect(page.textContent).toContain('500 of 2,000 bars');
    expect(page.querySelector<HTMLElement>('b[style]')?.style.left).toBe('20%');
  });

  it('before the first bar is known, there is a share of the stage', () => {
    const nothing = { done: 0, total: 0, checkpoint: null };
    const page = show(<StageStepper stage="collect_data" percent={2.5} bars={nothing} seconds={{}} />);
    expect(page.textContent).toContain('50%');
  });
});

describe('a failure', () => {
  const error = (code: string, details = {}): RunError => ({
    code,
    message: '<img src=x onerror=alert(1)> broke',
    stage: 'simulate',
    details,
  });

  it.each(Object.keys(live.failure))('%s is told in words, with what to do', (code) => {
    const page = show(<Failure error={error(code)} />);
    expect(page.textContent).toContain(live.failure[code as 'data_error']);
    expect(page.textContent).toContain('<img src=x onerror=alert(1)> broke');
    expect(page.querySelector('img')).toBeNull();
  });

  it('one that this version does not know keeps the words of the server', () => {
    const text = show(<Failure error={{ ...error('new_kind'), stage: null }} />).textContent;
    expect(text).toContain(live.ended.failed);
    expect(text).toContain('new_kind');
  });

  it('shows the frames of the strategy and the wrong fields', () => {
    const details = {
      traceback: ['a.py:3 in on_bar'],
      errors: [{ pointer: '/symbols/0', message: 'no' }, 7],
    };
    const page = show(<Failure error={error('strategy_error', details)} />);
    expect(page.querySelector('pre')?.textContent).toBe('a.py:3 in on_bar');
    expect(page.textContent).toContain('/symbols/0');
  });
});

describe('notices of the server', () => {
  const text = (code: string, details = {}, message = 'as the server says it') =>
    show(<ServerNotices notices={[{ code, message, details }]} />).textContent;

  it.each(Object.keys(dictionary.notice).filter((code) => code !== 'no_trades'))('%s has words', (code) => {
    const said = text(code, { symbols: { A: 2 }, trades: 3, bars: [1, 2], date: '2020-01-02' });
    expect(said).not.toContain('as the server says it');
    expect(said).not.toContain('{{');
    expect(said).not.toContain('notice.');
  });

  it('no trade at all is more than few', () => {
    expect(text('few_trades')).toContain(dictionary.notice.no_trades.title);
    expect(text('few_trades', { trades: 1 })).toContain(dictionary.notice.few_trades.title_one);
  });

  it('gaps are counted', () => {
    const said = text('gaps', { missing: { A: 4, B: 1 }, long_gaps: [['a', 'b']] });
    expect(said).toContain('5 bars are missing (A, B).');
    expect(said).toContain('without any bar: 1.');
  });

  it('what it does not know keeps the words of the server', () => {
    expect(text('new_kind')).toBe('as the server says it ');
    expect(text('data_note', { symbol: 'SPX' }, 'SPX: a price index')).toContain('a price index');
  });
});
