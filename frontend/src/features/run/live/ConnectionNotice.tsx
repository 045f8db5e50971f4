import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { type ConnectionState, type LiveRun, useReachable } from '@/api';
import { Notice } from '@/components/Notice';

interface ConnectionNoticeProps {
  connection: ConnectionState;
  live: LiveRun;
}

/** How fresh what is shown is, whenever it is not live. */
export function ConnectionNotice({ connection, live }: ConnectionNoticeProps) {
  const { t } = useTranslation();
  const reachable = useReachable();
  switch (connection.phase) {
    case 'reconnecting':
      // While the server is away altogether, the line above every page says so.
      if (!reachable && connection.reason === 'lost') return null;
      return (
        <div role="status">
          <Notice tone="warn" title={t(`connection.${connection.reason}`)}>
            {t('connection.last_state')}
          </Notice>
        </div>
      );
    case 'closed':
      if (connection.reason !== 'refused') return null;
      return (
        <div role="status">
          <Notice
            tone="warn"
            title={t('connection.refused')}
            action={
              <Button variant="default" size="compact-xs" onClick={() => location.reload()}>
                {t('problem.reload')}
              </Button>
            }
          >
            {t('connection.refused_body')}
          </Notice>
        </div>
      );
    default:
      if (live.live) return null;
      return (
        <div role="status">
          <Notice title={t('connection.slower')}>{live.reason ?? t('connection.slower_body')}</Notice>
        </div>
      );
  }
}
