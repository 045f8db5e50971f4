import { useTranslation } from 'react-i18next';
import { useHealth } from '@/app/health';
import { Panel } from '@/components/Panel';
import classes from './system.module.css';

interface Check {
  part: 'server' | 'store' | 'broker' | 'workers' | 'live_updates';
  ok: boolean;
  note: string;
  word: string;
}

export function HealthPanel() {
  const { t } = useTranslation();
  const { ready, reachable } = useHealth();
  const word = (ok: boolean) => t(ok ? 'system.healthy' : 'system.away');
  // An unreachable server says nothing about its parts: what is shown of them is what it said last.
  const checks: Check[] = [
    { part: 'server', ok: reachable, note: t('system.note_server'), word: word(reachable) },
  ];
  if (ready) {
    const live = ready.live_updates === 'ok';
    checks.push(
      {
        part: 'store',
        ok: ready.store === 'ok',
        note: t('system.note_store'),
        word: word(ready.store === 'ok'),
      },
      {
        part: 'broker',
        ok: ready.broker === 'ok',
        note: t('system.note_broker'),
        word: word(ready.broker === 'ok'),
      },
      {
        part: 'workers',
        ok: ready.workers > 0,
        note: ready.workers > 0 ? t('system.note_workers', { count: ready.workers }) : t('system.no_workers'),
        word: word(ready.workers > 0),
      },
      {
        part: 'live_updates',
        ok: live,
        note: t(live ? 'system.note_live_updates' : 'system.note_slower'),
        word: t(live ? 'system.healthy' : 'system.slower'),
      },
    );
  }
  return (
    <Panel
      title={t('system.health')}
      note={ready && reachable ? t(`system.state_${ready.status}`) : undefined}
    >
      {checks.map((check) => (
        <div key={check.part} className={classes.check} data-ok={check.ok}>
          <i />
          <div>
            {t(`system.part_${check.part}`)}
            <div className="tiny dim">{check.note}</div>
          </div>
          <span className="tiny num dim">{check.word}</span>
        </div>
      ))}
    </Panel>
  );
}
