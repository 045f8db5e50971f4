import { ActionIcon, Button, Menu, Popover, TextInput } from '@mantine/core';
import { Link, useNavigate } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useActiveBacktests, useBacktestTotal } from '@/api';
import { Icon } from '@/components/icons';
import { useFormat } from '@/lib/use-format';
import classes from './runs.module.css';
import { hasFilters, type RunsSearch, toFilters, viewOf } from './search';
import {
  BUILT_IN,
  type BuiltIn,
  changeView,
  effective,
  LONGEST_NAME,
  removeView,
  type SavedView,
  saveView,
  tabOf,
  useSavedViews,
} from './views';

interface ViewTabsProps {
  search: RunsSearch;
  now: number;
}

/** The built-in views, the reader's own, and at the end the bin. */
export function ViewTabs({ search, now }: ViewTabsProps) {
  const { t } = useTranslation();
  const saved = useSavedViews();
  const { tab, edited } = search.bin ? { tab: 'bin', edited: false } : tabOf(search, saved);
  const active = useActiveBacktests().data?.total;
  const canSave = !search.bin && tab === null && (hasFilters(effective(search)) || search.sort !== undefined);
  return (
    <nav className={classes.tabs} aria-label={t('list.views')}>
      {(Object.keys(BUILT_IN) as BuiltIn[]).map((view) => (
        <Tab key={view} search={view === 'all' ? {} : { view }} active={tab === view}>
          {t(`list.view_${view}`)}
          {view === 'active' ? <Count n={active} /> : <Total search={BUILT_IN[view]} now={now} />}
        </Tab>
      ))}
      {saved.map((view) => (
        <span key={view.id} className={classes.savedTab} data-active={tab === view.id || undefined}>
          <Tab search={{ ...view.search, view: view.id }} active={tab === view.id}>
            <span className="truncate">{view.name}</span>
            {tab === view.id && edited ? (
              <span className={classes.editedDot} title={t('list.view_edited')}>
                <span className="visually-hidden">{t('list.view_edited')}</span>
              </span>
            ) : (
              <Total search={view.search} now={now} />
            )}
          </Tab>
          {tab === view.id && <ViewMenu view={view} search={search} edited={edited} />}
        </span>
      ))}
      {canSave && <SaveView search={search} />}
      <span className={classes.binTab}>
        <Tab search={{ bin: true }} active={tab === 'bin'}>
          <Icon name="trash" size={14} />
          {t('list.view_bin')}
        </Tab>
      </span>
    </nav>
  );
}

function Tab({ search, active, children }: { search: RunsSearch; active: boolean; children: ReactNode }) {
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    // sideways only: the page stays where it is
    const tabs = link.current?.closest('nav');
    if (!active || !tabs || !link.current) return;
    const [box, at] = [tabs.getBoundingClientRect(), link.current.getBoundingClientRect()];
    if (at.right > box.right) tabs.scrollLeft += at.right - box.right + 24;
    else if (at.left < box.left) tabs.scrollLeft -= box.left - at.left + 24;
  }, [active]);
  return (
    <Link
      ref={link}
      to="/runs"
      search={search}
      className={classes.tab}
      data-active={active || undefined}
      aria-current={active ? 'page' : undefined}
      // the router's own idea of "active" knows nothing of views
      activeProps={{}}
    >
      {children}
    </Link>
  );
}

function Total({ search, now }: { search: RunsSearch; now: number }) {
  // the order does not matter for how many there are
  const { sort: _sort, ...filters } = toFilters(search, now);
  return <Count n={useBacktestTotal(filters).data} />;
}

function Count({ n }: { n: number | undefined }) {
  const f = useFormat();
  return <span className="num tiny dim">{n === undefined ? '' : f.integer(n)}</span>;
}

function SaveView({ search }: { search: RunsSearch }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [opened, setOpened] = useState(false);
  return (
    <Popover opened={opened} onChange={setOpened} position="bottom-start" width={260} trapFocus>
      <Popover.Target>
        <Button
          variant="subtle"
          size="compact-xs"
          leftSection={<Icon name="plus" size={12} />}
          onClick={() => setOpened(!opened)}
          className={classes.saveView}
        >
          {t('list.view_save')}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <NameForm
          label={t('list.view_name')}
          button={t('list.view_save')}
          onName={(name) => {
            const view = saveView(name, search);
            setOpened(false);
            void navigate({ to: '/runs', search: { ...view.search, view: view.id }, replace: true });
          }}
        />
      </Popover.Dropdown>
    </Popover>
  );
}

interface NameFormProps {
  label: string;
  button: string;
  initial?: string;
  onName: (name: string) => void;
}

function NameForm({ label, button, initial = '', onName }: NameFormProps) {
  const [name, setName] = useState(initial);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim()) onName(name);
  };
  return (
    <form onSubmit={submit} className="row" data-list-popover>
      <TextInput
        aria-label={label}
        placeholder={label}
        value={name}
        maxLength={LONGEST_NAME}
        data-autofocus
        style={{ flex: 1 }}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <Button type="submit" disabled={!name.trim()}>
        {button}
      </Button>
    </form>
  );
}

function ViewMenu({ view, search, edited }: { view: SavedView; search: RunsSearch; edited: boolean }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [renaming, setRenaming] = useState(false);
  return (
    <Popover opened={renaming} onChange={setRenaming} position="bottom-start" width={260} trapFocus>
      <Popover.Target>
        <span>
          <Menu position="bottom-start" width={200} withInitialFocusPlaceholder={false}>
            <Menu.Target>
              <ActionIcon size="xs" aria-label={t('list.view_menu', { name: view.name })}>
                <Icon name="down" size={12} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              {edited && (
                <>
                  <Menu.Item onClick={() => changeView(view.id, { search })}>
                    {t('list.view_update')}
                  </Menu.Item>
                  <Menu.Item
                    onClick={() =>
                      void navigate({
                        to: '/runs',
                        search: { ...view.search, view: view.id },
                        replace: true,
                      })
                    }
                  >
                    {t('list.view_reset')}
                  </Menu.Item>
                </>
              )}
              <Menu.Item data-autofocus onClick={() => setRenaming(true)}>
                {t('list.view_rename')}
              </Menu.Item>
              <Menu.Item
                className={classes.danger}
                onClick={() => {
                  removeView(view.id);
                  void navigate({ to: '/runs', search: viewOf(search), replace: true });
                }}
              >
                {t('list.view_remove')}
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </span>
      </Popover.Target>
      <Popover.Dropdown>
        <NameForm
          label={t('list.view_name')}
          button={t('list.view_rename')}
          initial={view.name}
          onName={(name) => {
            changeView(view.id, { name });
            setRenaming(false);
          }}
        />
      </Popover.Dropdown>
    </Popover>
  );
}
