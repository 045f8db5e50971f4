import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { type Backtest, type BacktestStatus, type LiveEquity, useLiveRun } from '@/api';
import { Facts } from '@/components/Facts';
import { Icon } from '@/components/icons';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { EM_DASH } from '@/lib/format';
import { useNames } from '@/lib/names';
import { useFormat } from '@/lib/use-format';
import { Configuration } from '../Configuration';
import { LiveChart } from '../live/LiveChart';
import { Positions } from '../live/Positions';
import { Attempts } from '../log/Attempts';
import { SavedLog } from '../log/SavedLog';
import { Notes } from '../Notes';
import { RunActions } from '../RunActions';
import { RunHeading } from '../RunHeading';
import runClasses from '../run.module.css';
import { spentText } from '../spent';
import { useRunActions } from '../use-run-actions';
import { Failure } from './Failure';

/** A run that ended without a result: failed, or stopped before there was anything to keep. */
export function EndedPage({ run }: { run: Backtest }) {
  const f = useFormat();
  const id = run.backtest_id;
  // Its first frame says where the run stood, and what had been computed by then.
  const { status, equity } = useLiveRun(id).run;
  return (
    <>
      <RunHeading
        run={run}
        statusNote={spentText(f, run)}
        actions={<RunActions run={run} resumable={!!status?.checkpoint_bar} />}
      />
      <div className="stack">
        {run.error ? <Failure error={run.error} /> : status && <Stopped id={id} status={status} />}
        <div className={runClasses.split}>
          <div className="stack">
            {equity && equity.points.length > 1 && <SoFar run={run} equity={equity} />}
            <SavedLog id={id} height={380} atEnd />
            <Attempts id={id} />
          </div>
          <div className="stack">
            {status && <WhereItStood status={status} />}
            <Notes run={run} />
            <Configuration config={run.config} />
          </div>
        </div>
      </div>
    </>
  );
}

/** Stopped in the queue, or in the middle of something that could not be ended in order. */
function Stopped({ id, status }: { id: string; status: BacktestStatus }) {
  const { t } = useTranslation();
  const f = useFormat();
  const actions = useRunActions(id);
  const saved = status.checkpoint_bar;
  if (saved) {
    return <Notice title={t('ended.cut_off')}>{t('ended.cut_off_body', { n: f.integer(saved) })}</Notice>;
  }
  return (
    <Notice
      title={t(status.bars_done > 0 ? 'ended.cut_off' : 'ended.cancelled')}
      action={
        <Button
          variant="default"
          size="compact-xs"
          leftSection={<Icon name="play" size={12} />}
          loading={actions.resuming}
          onClick={actions.resume}
        >
          {t('run.start_after_all')}
        </Button>
      }
    >
      {t('ended.cancelled_body')}
    </Notice>
  );
}

function WhereItStood({ status }: { status: BacktestStatus }) {
  const { t } = useTranslation();
  const f = useFormat();
  const names = useNames();
  return (
    <Panel title={t('ended.progress')}>
      <Facts
        rows={[
          [t('ended.percent'), f.percent(status.progress / 100, { digits: 0 })],
          ...(status.error?.stage
            ? [[t('ended.stage'), names.stage(status.error.stage)] as [string, string]]
            : []),
          [
            t('ended.bars'),
            status.total_bars > 0
              ? t('live.sub_bars', { n: f.integer(status.bars_done), total: f.integer(status.total_bars) })
              : EM_DASH,
          ],
          [t('live.fills'), f.integer(status.fills)],
          [
            t('ended.checkpoint'),
            status.checkpoint_bar
              ? t('ended.checkpoint_at', { n: f.integer(status.checkpoint_bar) })
              : t('ended.no_checkpoint'),
          ],
          [t('proof.attempts'), f.integer(status.attempt)],
        ]}
      />
    </Panel>
  );
}

/** What was computed before it ended, as far as it is kept. */
function SoFar({ run, equity }: { run: Backtest; equity: LiveEquity }) {
  const { t } = useTranslation();
  return (
    <>
      <Panel title={t('ended.so_far')} note={t('live.points_note')} flush>
        <LiveChart points={equity.points} capital={run.initial_capital} name={run.name} height={360} />
      </Panel>
      {equity.position_count > 0 && <Positions equity={equity} />}
    </>
  );
}
