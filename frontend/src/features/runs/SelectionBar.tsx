import { Button, Loader, Menu, Popover } from '@mantine/core';
import { type ReactElement, type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon, type IconName } from '@/components/icons';
import { useFormat } from '@/lib/use-format';
import classes from './runs.module.css';
import { clearSelection, MOST_SELECTED, type Selection } from './selection';
import { TagPicker } from './TagPicker';
import { canResume, type RunActions, waits, works } from './use-actions';

/** From so many on, running again is asked about. */
const ASKED_FROM = 10;

interface SelectionBarProps {
  selection: Selection;
  bin: boolean;
  actions: RunActions;
  onDetails: () => void;
}

export function SelectionBar({ selection, bin, actions, onDetails }: SelectionBarProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const runs = [...selection.values()];
  const waiting = runs.filter(waits);
  const stoppable = runs.filter((run) => waits(run) || works(run));
  const resumable = runs.filter(canResume);
  const count = runs.length;
  return (
    <section className={classes.selection} aria-label={t('list.selected', { count, n: f.integer(count) })}>
      <span className={`${classes.selectedCount} num strong`} aria-live="polite">
        {t('list.selected', { count, n: f.integer(count) })}
        {count >= MOST_SELECTED && <span className="tiny dim">{t('list.most_selected')}</span>}
      </span>
      {actions.busy && <Loader size={14} />}
      {bin ? (
        <Action icon="repeat" label={t('list.restore')} onClick={() => void actions.restore(runs)} />
      ) : (
        <>
          {count === 1 && <Action icon="edit" label={t('list.details')} onClick={onDetails} />}
          <TagAction runs={runs} actions={actions} />
          <RerunAction count={count} onRun={() => void actions.rerun(runs)} />
          {resumable.length === count && (
            <Action icon="play" label={t('list.resume')} onClick={() => void actions.resume(runs)} />
          )}
          {waiting.length === count && (
            <Menu position="top" withInitialFocusPlaceholder={false}>
              <Menu.Target>
                <ActionButton icon="sort_up" label={t('list.priority')} />
              </Menu.Target>
              <Menu.Dropdown>
                {(['high', 'normal', 'low'] as const).map((priority) => (
                  <Menu.Item
                    key={priority}
                    data-autofocus={priority === 'high' || undefined}
                    onClick={() => void actions.change(runs, { priority })}
                  >
                    {t(`list.p_${priority}`)}
                  </Menu.Item>
                ))}
              </Menu.Dropdown>
            </Menu>
          )}
          {stoppable.length > 0 && (
            <Action
              icon="stop"
              label={stoppable.length === count ? t('list.stop') : t('list.stop_n', { n: stoppable.length })}
              onClick={() => void actions.stop(stoppable)}
            />
          )}
          <Action icon="trash" label={t('list.delete')} onClick={() => void actions.remove(runs)} />
        </>
      )}
      <Button variant="subtle" px={8} onClick={clearSelection} aria-label={t('list.unselect')}>
        <Icon name="close" size={14} />
      </Button>
    </section>
  );
}

interface ActionProps {
  icon: IconName;
  label: string;
  onClick?: () => void;
}

const Action = (props: ActionProps) => <ActionButton {...props} />;

/** On a phone only the icon is shown; the name stays for who cannot see it. */
function ActionButton({ icon, label, ...rest }: ActionProps & Record<string, unknown>) {
  return (
    <Button
      variant="subtle"
      leftSection={<Icon name={icon} size={14} />}
      className={classes.action}
      aria-label={label}
      {...rest}
    >
      {label}
    </Button>
  );
}

function TagAction({ runs, actions }: { runs: Parameters<RunActions['change']>[0]; actions: RunActions }) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState(false);
  return (
    <Dropup
      opened={opened}
      onChange={setOpened}
      width={280}
      target={<ActionButton icon="tag" label={t('list.tags')} onClick={() => setOpened(!opened)} />}
    >
      <TagPicker
        runs={runs}
        onApply={(add_tags, remove_tags) => {
          setOpened(false);
          void actions.change(runs, { add_tags, remove_tags });
        }}
      />
    </Dropup>
  );
}

function RerunAction({ count, onRun }: { count: number; onRun: () => void }) {
  const { t } = useTranslation();
  const f = useFormat();
  const [asking, setAsking] = useState(false);
  const ask = count >= ASKED_FROM;
  return (
    <Dropup
      opened={asking}
      onChange={setAsking}
      width={260}
      target={
        <ActionButton
          icon="repeat"
          label={t('list.rerun')}
          onClick={() => (ask ? setAsking(!asking) : onRun())}
        />
      }
    >
      <p className="small soft">{t('list.rerun_many', { count, n: f.integer(count) })}</p>
      <Button
        mt={10}
        fullWidth
        onClick={() => {
          setAsking(false);
          onRun();
        }}
      >
        {t('list.rerun_n', { count, n: f.integer(count) })}
      </Button>
    </Dropup>
  );
}

interface DropupProps {
  opened: boolean;
  onChange: (opened: boolean) => void;
  width: number;
  target: ReactElement;
  children: ReactNode;
}

function Dropup({ opened, onChange, width, target, children }: DropupProps) {
  return (
    <Popover opened={opened} onChange={onChange} position="top" width={width} trapFocus returnFocus>
      <Popover.Target>{target}</Popover.Target>
      <Popover.Dropdown p={12} data-list-popover>
        {children}
      </Popover.Dropdown>
    </Popover>
  );
}
