import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { type Backtest, useStatus } from '@/api';
import { Notice } from '@/components/Notice';
import { useFormat } from '@/lib/use-format';
import { NoticeItems } from '../notices/ServerNotices';
import { toneOfNotice } from '../notices/words';
import classes from '../run.module.css';
import type { Hold } from './hold';

/** What a careful colleague would say before showing the chart. */
export function ResultNotices({ run, hold }: { run: Backtest; hold: Hold | null }) {
  const { t } = useTranslation();
  const isSevere = ({ code }: { code: string }) => toneOfNotice(code) === 'danger';
  const severe = run.notices.filter(isSevere);
  const others = run.notices.filter((notice) => !isSevere(notice));
  if (!run.partial && !run.cached_from && !hold && run.notices.length === 0) return null;
  return (
    <section className={classes.notices} aria-label={t('result.notices')}>
      <NoticeItems notices={severe} />
      {run.partial && <Partial run={run} />}
      {run.cached_from && (
        <Notice
          tone="accent"
          title={t('result.cached')}
          action={
            <Button
              variant="default"
              size="compact-xs"
              renderRoot={(props) => (
                <Link to="/runs/$id" params={{ id: run.cached_from ?? '' }} {...props} />
              )}
            >
              {t('result.open_original')}
            </Button>
          }
        >
          {t('result.cached_body')}
        </Notice>
      )}
      {hold && <AgainstHolding run={run} hold={hold} />}
      <NoticeItems notices={others} />
    </section>
  );
}

function Partial({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const f = useFormat();
  const { data: status } = useStatus(run.backtest_id);
  return (
    <Notice tone="warn" title={t('result.partial')}>
      {status && status.total_bars > 0
        ? t('result.partial_bars', { n: f.integer(status.bars_done), total: f.integer(status.total_bars) })
        : t('result.partial_body')}
    </Notice>
  );
}

function AgainstHolding({ run, hold }: { run: Backtest; hold: Hold }) {
  const { t } = useTranslation();
  const f = useFormat();
  const own = run.metrics?.total_return ?? null;
  if (own === null) return null;
  const worse = own < hold.totalReturn;
  return (
    <Notice
      tone={worse ? 'warn' : 'info'}
      title={t('result.n_hold', {
        symbol: hold.symbol,
        value: f.percent(hold.totalReturn, { signed: true }),
      })}
    >
      {t(worse ? 'result.n_hold_worse' : 'result.n_hold_better')}
      {hold.maxDrawdown !== null &&
        ` ${t('result.n_hold_drawdown', {
          dd: f.percent(run.metrics?.max_drawdown),
          hold_dd: f.percent(hold.maxDrawdown),
        })}`}
    </Notice>
  );
}
