import { Menu } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { BacktestSummary } from '@/api';
import { Icon, type IconName } from '@/components/icons';
import classes from './runs.module.css';
import { canResume, type RunActions, waits, works } from './use-actions';

export interface MenuPlace {
  run: BacktestSummary;
  button: HTMLElement;
  top: number;
  left: number;
}

interface RowMenuProps {
  place: MenuPlace | null;
  actions: RunActions;
  onOpen: (run: BacktestSummary) => void;
  onDetails: (run: BacktestSummary) => void;
  onClose: () => void;
}

const PRIORITIES = ['high', 'normal', 'low'] as const;

/** One menu for all rows, put where the row's button is. */
export function RowMenu({ place, actions, onOpen, onDetails, onClose }: RowMenuProps) {
  const { t } = useTranslation();
  if (!place) return null;
  const { run } = place;
  const one = [run];
  const item = (
    name: IconName,
    label: string,
    act: () => void,
    more?: { className?: string; first?: true },
  ) => (
    <Menu.Item
      leftSection={<Icon name={name} size={14} />}
      className={more?.className}
      data-autofocus={more?.first}
      onClick={act}
    >
      {label}
    </Menu.Item>
  );
  return (
    <Menu
      opened
      onClose={() => {
        place.button.focus({ preventScroll: true });
        onClose();
      }}
      returnFocus={false}
      withInitialFocusPlaceholder={false}
      position="bottom-end"
      width={210}
    >
      <Menu.Target>
        <span aria-hidden="true" style={{ position: 'absolute', top: place.top, left: place.left }} />
      </Menu.Target>
      <Menu.Dropdown aria-label={t('list.menu', { name: run.name })}>
        {run.deleted_at ? (
          item('repeat', t('list.restore'), () => void actions.restore(one), { first: true })
        ) : (
          <>
            {item('right', t('list.open'), () => onOpen(run), { first: true })}
            {item('edit', t('list.details'), () => onDetails(run))}
            {item('repeat', t('list.rerun'), () => void actions.rerun(one))}
            {canResume(run) && item('play', t('list.resume'), () => void actions.resume(one))}
            {waits(run) && (
              <>
                <Menu.Label>{t('list.priority')}</Menu.Label>
                {PRIORITIES.map((priority) => (
                  <Menu.Item
                    key={priority}
                    leftSection={run.priority === priority ? <Icon name="check" size={14} /> : <i />}
                    role="menuitemradio"
                    aria-checked={run.priority === priority}
                    onClick={() => void actions.change(one, { priority })}
                  >
                    {t(`list.p_${priority}`)}
                  </Menu.Item>
                ))}
              </>
            )}
            <Menu.Divider />
            {(waits(run) || works(run)) && item('stop', t('list.stop'), () => void actions.stop(one))}
            {!works(run) &&
              run.status !== 'cancelling' &&
              item('trash', t('list.delete'), () => void actions.remove(one), { className: classes.danger })}
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
