import { useTranslation } from 'react-i18next';
import { useReachable } from '@/api';
import { Icon } from '@/components/icons';
import classes from './Shell.module.css';

/** The server is away: what is on the screen is the last that was known. */
export function ConnectionLine() {
  const { t } = useTranslation();
  const reachable = useReachable();
  return (
    <div role="status" className={reachable ? 'visually-hidden' : classes.lost}>
      {!reachable && (
        <>
          <Icon name="alert" size={14} />
          {t('problem.connection_lost')}
        </>
      )}
    </div>
  );
}
