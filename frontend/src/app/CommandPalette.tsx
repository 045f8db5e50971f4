import { Modal, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type RunStatus, useLatestBacktests } from '@/api';
import { Icon, type IconName } from '@/components/icons';
import { StatusDot } from '@/components/StatusDot';
import classes from './CommandPalette.module.css';
import { NAV } from './nav';
import { closePalette } from './palette-store';

interface Entry {
  id: string;
  label: string;
  hint: string;
  mark: { icon: IconName } | { status: RunStatus };
  go: () => void;
}

const RUNS = 8;
const RUN_ID = /^bt-[0-9a-z]{12}$/;

/** Pages by their name, runs by what the server finds; a whole run id opens that run. */
export default function CommandPalette() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const list = useId();
  const [query, setQuery] = useState('');
  const [active, setActive] = useState(0);
  const [asked] = useDebouncedValue(query.trim(), 120);
  const found = useLatestBacktests(asked ? { q: asked } : {}, RUNS);
  const runs = found.data?.items ?? [];
  // Enter pressed before the answer to the last letter came: it is for what comes.
  const [entered, setEntered] = useState(false);
  const settled = asked === query.trim() && !found.isFetching;
  const open = (id: string) => () => void navigate({ to: '/runs/$id', params: { id } });

  const needle = query.trim().toLowerCase();
  const pages: Entry[] = [
    {
      id: 'new',
      label: t('nav.new'),
      hint: 'N',
      mark: { icon: 'plus' },
      go: () => void navigate({ to: '/runs/new' }),
    },
    ...NAV.map(
      (item): Entry => ({
        id: item.to,
        label: t(`nav.${item.key}`),
        hint: '',
        mark: { icon: item.icon },
        go: () => void navigate({ to: item.to }),
      }),
    ),
  ];
  const entries: Entry[] = [
    ...pages.filter((entry) => entry.label.toLowerCase().includes(needle)),
    ...(RUN_ID.test(needle)
      ? [
          {
            id: needle,
            label: needle,
            hint: t('app.palette_open'),
            mark: { icon: 'right' as const },
            go: open(needle),
          },
        ]
      : []),
    ...runs.map(
      (run): Entry => ({
        id: run.backtest_id,
        label: run.name,
        hint: run.symbols.slice(0, 4).join(' '),
        mark: { status: run.status },
        go: open(run.backtest_id),
      }),
    ),
  ];
  const choose = (entry: Entry | undefined) => {
    if (!entry) return;
    closePalette();
    entry.go();
  };

  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when both are true
  useEffect(() => {
    if (!entered || !settled) return;
    setEntered(false);
    choose(entries[active]);
  }, [entered, settled]);

  return (
    <Modal
      opened
      onClose={closePalette}
      withCloseButton={false}
      padding={0}
      size={520}
      yOffset="14vh"
      attributes={{ content: { 'aria-label': t('app.search') } }}
    >
      <TextInput
        size="md"
        variant="unstyled"
        className={classes.input}
        leftSection={<Icon name="search" />}
        placeholder={t('app.palette_placeholder')}
        aria-label={t('app.palette_placeholder')}
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={entries[active] && `${list}-${active}`}
        value={query}
        data-autofocus
        onChange={(event) => {
          setQuery(event.currentTarget.value);
          setActive(0);
          setEntered(false);
        }}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return; // Enter ends a Korean syllable here, not the search
          if (event.key === 'ArrowDown') setActive(Math.min(active + 1, entries.length - 1));
          else if (event.key === 'ArrowUp') setActive(Math.max(active - 1, 0));
          else if (event.key === 'Enter') setEntered(true);
          else return;
          event.preventDefault();
        }}
      />
      <div className={classes.list} id={list} role="listbox" aria-label={t('app.search')}>
        {entries.map((entry, index) => (
          <button
            key={entry.id}
            id={`${list}-${index}`}
            type="button"
            role="option"
            aria-selected={index === active}
            tabIndex={-1}
            className={classes.item}
            data-active={index === active || undefined}
            onMouseEnter={() => setActive(index)}
            onClick={() => choose(entry)}
          >
            {'icon' in entry.mark ? (
              <Icon name={entry.mark.icon} />
            ) : (
              <StatusDot status={entry.mark.status} bare />
            )}
            <span className="truncate">{entry.label}</span>
            <span className={classes.hint}>{entry.hint}</span>
          </button>
        ))}
        {entries.length === 0 && <p className={classes.none}>{t('app.palette_empty', { q: query })}</p>}
      </div>
    </Modal>
  );
}
