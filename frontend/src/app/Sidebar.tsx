import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useActiveBacktests, useBacktestCount, useWorkers } from '@/api';
import { BrandMark, Icon } from '@/components/icons';
import { ProgressBar } from '@/components/ProgressBar';
import { executionSlots } from '@/lib/slots';
import { useFormat } from '@/lib/use-format';
import { useHealth } from './health';
import { isActive, NAV } from './nav';
import { openPalette } from './palette-store';
import { SettingsMenu } from './SettingsMenu';
import classes from './Shell.module.css';

const SHOWN = 6;
const MOD = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl';

export function Sidebar({ path }: { path: string }) {
  const { t } = useTranslation();
  const f = useFormat();
  const count = useBacktestCount().data;
  return (
    <nav className={classes.nav} aria-label={t('app.menu')}>
      <Link to="/" className={classes.brand}>
        <BrandMark />
        {t('app.title')}
      </Link>
      <Button
        renderRoot={(props) => <Link to="/runs/new" {...props} />}
        leftSection={<Icon name="plus" size={14} />}
        mb={6}
        fullWidth
      >
        {t('nav.new')}
      </Button>
      <button type="button" className={classes.search} onClick={openPalette}>
        <Icon name="search" size={14} />
        {t('app.search')}
        <kbd>{MOD} K</kbd>
      </button>
      <div className={classes.links}>
        {NAV.map((item) => (
          <Link
            key={item.to}
            to={item.to}
            className={classes.link}
            data-active={isActive(path, item.to) || undefined}
            aria-current={isActive(path, item.to) ? 'page' : undefined}
          >
            <Icon name={item.icon} />
            {t(`nav.${item.key}`)}
            {item.key === 'runs' && count !== undefined && (
              <span className={`${classes.count} num`}>{f.integer(count)}</span>
            )}
          </Link>
        ))}
      </div>
      <RunningRuns />
      <div className={classes.foot}>
        <HealthLine />
        <SettingsMenu />
      </div>
    </nav>
  );
}

function RunningRuns() {
  const { t } = useTranslation();
  const f = useFormat();
  const active = useActiveBacktests().data;
  const running =
    active?.items.filter((run) => run.status === 'running' || run.status === 'cancelling') ?? [];
  const waiting = (active?.total ?? 0) - running.length;
  if (!active?.items.length) return null;
  return (
    <>
      <div className={classes.section}>{t('app.running_now')}</div>
      {running.slice(0, SHOWN).map((run) => (
        <Link key={run.backtest_id} to="/runs/$id" params={{ id: run.backtest_id }} className={classes.live}>
          <span className="row spread">
            <span className="truncate">{run.name}</span>
            <span className="num dim">{f.percent(run.progress / 100, { digits: 0 })}</span>
          </span>
          <ProgressBar value={run.progress / 100} label={run.name} />
        </Link>
      ))}
      {waiting > 0 && (
        <Link to="/runs" search={{ view: 'active' }} className={`${classes.live} dim`}>
          {t('app.waiting', { count: waiting })}
        </Link>
      )}
    </>
  );
}

function HealthLine() {
  const { t } = useTranslation();
  const { limited } = useHealth();
  const workers = useWorkers().data;
  const slots = executionSlots(workers);
  return (
    <Link to="/system" className={classes.health}>
      <i data-ok={!limited} />
      <span>
        {limited ? t(`health.${limited}`) : t('app.health_ok')}
        {slots !== null && workers && limited !== 'server' && (
          <>
            <br />
            {t('app.workers_busy', { busy: workers.running.length, total: slots })}
          </>
        )}
      </span>
    </Link>
  );
}
