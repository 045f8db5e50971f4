import { Modal } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import classes from './runs.module.css';

const KEYS = [
  ['/', 'search'],
  ['j', 'down'],
  ['k', 'up'],
  ['x', 'select'],
  ['Enter', 'open'],
  ['s', 'star'],
  ['e', 'details'],
  ['Esc', 'clear'],
  ['n', 'new'],
  ['d', 'dashboard'],
  ['Ctrl K', 'palette'],
] as const;

/** What single keys do in the list. */
export function KeyHelp({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      size={340}
      title={<span className="strong">{t('list.keys_title')}</span>}
      // a dialog's header is no banner of the page
      attributes={{ header: { role: 'none' } }}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <dl className={classes.keyList}>
        {KEYS.map(([key, name]) => (
          <div key={key}>
            <dt>{t(`list.key.${name}`)}</dt>
            <dd>
              <kbd>{key}</kbd>
            </dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
