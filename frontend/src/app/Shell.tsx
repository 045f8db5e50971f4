import { ActionIcon } from '@mantine/core';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { lazy, Suspense, useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { BrandMark, Icon } from '@/components/icons';
import type { Language } from '@/i18n';
import { ConnectionLine } from './ConnectionLine';
import { useGlobalHotkeys } from './hotkeys';
import { isActive, NAV } from './nav';
import { openPalette, usePaletteOpen } from './palette-store';
import { applyPalette } from './preferences';
import { SettingsMenu } from './SettingsMenu';
import classes from './Shell.module.css';
import { Sidebar } from './Sidebar';
import { useRefreshAsRunsEnd } from './use-refresh';

const loadPalette = () => import('./CommandPalette');
const CommandPalette = lazy(loadPalette);
const IDLE_MS = 3000;

export function Shell() {
  const paletteOpen = usePaletteOpen();
  const { t, i18n } = useTranslation();
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => applyPalette(i18n.language as Language), [i18n.language]);
  useGlobalHotkeys();
  useEffect(() => {
    // So that it opens at once, but not before the page itself is there.
    const timer = setTimeout(() => void loadPalette().catch(() => undefined), IDLE_MS);
    return () => clearTimeout(timer);
  }, []);
  useRefreshAsRunsEnd();
  const tabs = [
    ...NAV.slice(0, 2),
    { to: '/runs/new', key: 'new_short', icon: 'plus' } as const,
    ...NAV.slice(2),
  ];

  return (
    <>
      <a className={classes.skip} href="#content">
        {t('app.skip')}
      </a>
      <div className={classes.shell}>
        <Sidebar path={path} />
        <header className={classes.topbar}>
          <Link to="/" className={classes.brand}>
            <BrandMark size={20} />
            {t('app.title')}
          </Link>
          <ActionIcon aria-label={t('app.search')} onClick={openPalette} size="lg">
            <Icon name="search" />
          </ActionIcon>
          <SettingsMenu compact />
        </header>
        <main className={classes.main} id="content" tabIndex={-1}>
          <div className={classes.inner}>
            <ConnectionLine />
            <Outlet />
          </div>
        </main>
        <nav className={classes.tabbar} aria-label={t('app.menu')}>
          {tabs.map((tab) => (
            <Link
              key={tab.to}
              to={tab.to}
              className={classes.tab}
              data-active={isActive(path, tab.to) || undefined}
            >
              <Icon name={tab.icon} size={18} />
              {t(`nav.${tab.key}`)}
            </Link>
          ))}
        </nav>
      </div>
      {paletteOpen && (
        <Suspense>
          <CommandPalette />
        </Suspense>
      )}
    </>
  );
}
