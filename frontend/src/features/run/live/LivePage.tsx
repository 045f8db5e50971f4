import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Backtest, type BacktestStatus, isActive, isStage, type LiveRun, useLiveRun } from '@/api';
import { Icon } from '@/components/icons';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { StageStepper } from '@/components/StageStepper';
import { EmptyState } from '@/components/States';
import { useFormat } from '@/lib/use-format';
import { Configuration } from '../Configuration';
import { LogPanel } from '../log/LogPanel';
import { Notes } from '../Notes';
import { ServerNotices } from '../notices/ServerNotices';
import { RunHeading } from '../RunHeading';
import runClasses from '../run.module.css';
import { ConnectionNotice } from './ConnectionNotice';
import { stageSeconds } from './derive';
import { LiveChart } from './LiveChart';
import { LiveFigures } from './LiveFigures';
import classes from './live.module.css';
import { Positions } from './Positions';
import { StopDialog } from './StopDialog';
import { Waiting } from './Waiting';

/** A run that waits or works. When it has ended, the page above shows what came of it. */
export function LivePage({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const f = useFormat();
  const { run: live, connection } = useLiveRun(run.backtest_id);
  const [asking, setAsking] = useState(false);
  const { status } = live;
  const now = status?.status ?? run.status;
  const percent = status?.progress ?? run.progress;
  const waits = now === 'pending' || now === 'queued';
  const stopping = now === 'cancelling';
  const short = waits ? t(`status.${now}`) : f.percent(percent / 100, { digits: 0 });
  return (
    <>
      <RunHeading
        run={run}
        status={now}
        tabTitle={`${short} · ${run.name}`}
        actions={
          isActive(now) && (
            <>
              <Button
                variant="default"
                leftSection={<Icon name="edit" size={14} />}
                renderRoot={(props) => <Link to="/runs/new" search={{ from: run.backtest_id }} {...props} />}
              >
                {t('run.change')}
              </Button>
              <Button
                variant="danger"
                leftSection={<Icon name="stop" size={14} />}
                onClick={() => setAsking(true)}
                disabled={stopping}
              >
                {stopping ? t('live.stopping') : t('live.stop')}
              </Button>
            </>
          )
        }
      />
      <div className="stack">
        <ConnectionNotice connection={connection} live={live} />
        {status && waits ? (
          <Waiting status={status} since={run.queued_at ?? run.created_at} config={run.config} />
        ) : (
          <Progress status={status} percent={percent} live={live} stopping={stopping} />
        )}
        {status?.attempt !== undefined && status.attempt > 1 && (
          <Notice title={t('live.attempt', { n: status.attempt })}>
            {status.checkpoint_bar
              ? t('live.attempt_goes_on', { n: f.integer(status.checkpoint_bar) })
              : t('live.attempt_from_start')}
          </Notice>
        )}
        <ServerNotices notices={live.notices} />
        {!waits && (
          <>
            <LiveFigures live={live} capital={run.initial_capital} />
            <div className={classes.columns}>
              <Panel title={t('live.equity_title')} note={t('live.points_note')} flush>
                {live.equity && live.equity.points.length > 1 ? (
                  <LiveChart points={live.equity.points} capital={run.initial_capital} name={run.name} />
                ) : (
                  <div className={classes.chartPlace}>
                    <EmptyState title={t('live.no_curve')} body={t('live.no_curve_body')} />
                  </div>
                )}
              </Panel>
              <LogPanel
                lines={live.log}
                height={487}
                live
                note={live.dropped > 0 && <Dropped lines={live.dropped} />}
              />
            </div>
            {live.equity && live.equity.position_count > 0 && <Positions equity={live.equity} />}
          </>
        )}
        {waits && live.log.length > 0 && <LogPanel lines={live.log} height={240} live />}
        {waits && (
          <div className={runClasses.split}>
            <Configuration config={run.config} />
            <Notes run={run} />
          </div>
        )}
      </div>
      <StopDialog
        id={run.backtest_id}
        opened={asking && isActive(now)}
        waits={waits}
        onClose={() => setAsking(false)}
      />
    </>
  );
}

interface ProgressProps {
  status: BacktestStatus | null;
  percent: number;
  live: LiveRun;
  stopping: boolean;
}

function Progress({ status, percent, live, stopping }: ProgressProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const stage = isStage(status?.current_step) ? status.current_step : null;
  const eta = status?.eta_seconds ?? null;
  const note = stopping
    ? t('live.stopping_note')
    : live.ended
      ? t('live.loading_result')
      : eta === null
        ? t('live.eta_unknown')
        : t('live.eta', { time: f.duration(Math.max(1, Math.ceil(eta))) });
  return (
    <section className={classes.progress} aria-label={t('live.progress')}>
      <div className={classes.percent}>
        <b
          className="num"
          role="progressbar"
          aria-label={t('live.progress')}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(percent)}
        >
          {f.percent(percent / 100, { digits: 0 })}
        </b>
        <span className="num soft">{note}</span>
        <span className={classes.safe}>{t('live.safe')}</span>
      </div>
      <StageStepper
        stage={stage}
        percent={percent}
        bars={{
          done: status?.bars_done ?? 0,
          total: status?.total_bars ?? 0,
          checkpoint: status?.checkpoint_bar ?? null,
        }}
        seconds={stageSeconds(live.stages, live.now)}
      />
    </section>
  );
}

function Dropped({ lines }: { lines: number }) {
  const { t } = useTranslation();
  const f = useFormat();
  return t('log.dropped', { n: f.integer(lines) });
}
