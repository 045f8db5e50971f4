import { useTranslation } from 'react-i18next';
import type { BacktestInput, BacktestStatus } from '@/api';
import { Facts } from '@/components/Facts';
import { Panel } from '@/components/Panel';
import { TimeAgo } from '@/components/TimeAgo';
import { useErrorText } from '@/lib/error-text';
import { useFormat } from '@/lib/use-format';
import { secondsUntilStart } from './derive';
import classes from './live.module.css';

/** What a run waits for: its turn, or data. */
export function Waiting({
  status,
  since,
  config,
}: {
  status: BacktestStatus;
  since: string;
  config: BacktestInput;
}) {
  if (status.status === 'pending') return <WaitsForData status={status} config={config} />;
  return <WaitsForTurn status={status} since={since} />;
}

function WaitsForTurn({ status, since }: { status: BacktestStatus; since: string }) {
  const { t } = useTranslation();
  const f = useFormat();
  const position = status.queue_position;
  const start = secondsUntilStart(status);
  const expected = status.eta_seconds;
  const expectation = (seconds: number) =>
    seconds < 1 ? t('waiting.moment') : f.duration(seconds < 10 ? Math.round(seconds) : seconds);
  return (
    <section className={classes.progress} aria-label={t('status.queued')}>
      <div className={classes.percent}>
        <b className="num">
          {position === null
            ? t('waiting.queued')
            : position === 1
              ? t('waiting.next')
              : t('waiting.position', { n: f.integer(position) })}
        </b>
        <span className="num soft">
          {start === null
            ? t('waiting.unknown')
            : start < 1
              ? t('waiting.starts_now')
              : t('waiting.starts_in', { time: f.duration(Math.ceil(start)) })}
        </span>
        <span className={classes.safe}>{t('live.safe')}</span>
      </div>
      <div className={classes.waitFacts}>
        <Facts
          rows={[
            [t('waiting.since'), <TimeAgo key="since" at={since} />],
            [
              t('waiting.duration'),
              status.estimated_duration === null
                ? t('waiting.duration_unknown')
                : expectation(status.estimated_duration),
            ],
            [
              t('waiting.done_in'),
              expected === null ? t('waiting.duration_unknown') : expectation(Math.ceil(expected)),
            ],
            [t('waiting.priority'), t(`waiting.priority_${status.priority}`)],
          ]}
        />
      </div>
    </section>
  );
}

function WaitsForData({ status, config }: { status: BacktestStatus; config: BacktestInput }) {
  const { t } = useTranslation();
  const say = useErrorText(config);
  return (
    <Panel title={t('waiting.data_title')}>
      <p className="soft">{t('waiting.data_body')}</p>
      <ul className={classes.missing}>
        {status.waiting_for.map((missing) => (
          <li key={`${missing.pointer} ${missing.code}`}>
            <span>{say(missing)}</span> <span className="mono dim">{missing.pointer}</span>
          </li>
        ))}
      </ul>
      <p className="small soft">{t('waiting.import_hint')}</p>
      <pre className={classes.command}>backproof import FILE.csv --dataset NAME</pre>
    </Panel>
  );
}
