import { ActionIcon, Button, TextInput, Tooltip } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Backtest, useUpdateBacktest } from '@/api';
import { Icon } from '@/components/icons';
import { notifyProblem } from '@/lib/notify';
import classes from './run.module.css';

export const LONGEST_NAME = 200;

/** The heading, whose name can be changed where it stands, and the star. */
export function NameLine({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const update = useUpdateBacktest();
  const [draft, setDraft] = useState<string | null>(null);
  const change = (patch: { name?: string; starred?: boolean }) =>
    update.mutate({ id: run.backtest_id, patch }, { onError: (problem) => notifyProblem(t, problem) });
  const name = update.isPending ? (update.variables.patch.name ?? run.name) : run.name;
  const starred = update.isPending ? (update.variables.patch.starred ?? run.starred) : run.starred;

  if (draft !== null) {
    const wanted = draft.trim();
    return (
      <form
        className={classes.nameForm}
        onSubmit={(event) => {
          event.preventDefault();
          if (!wanted) return;
          setDraft(null);
          if (wanted !== run.name) change({ name: wanted });
        }}
      >
        <h1 className="visually-hidden">{name}</h1>
        <TextInput
          aria-label={t('run.name')}
          value={draft}
          maxLength={LONGEST_NAME}
          onChange={(event) => setDraft(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Escape' && setDraft(null)}
          dir="auto"
          autoFocus
          onFocus={(event) => event.currentTarget.select()}
          style={{ flex: '1 1 240px' }}
        />
        <Button type="submit" disabled={!wanted}>
          {t('run.save')}
        </Button>
        <Button variant="default" onClick={() => setDraft(null)}>
          {t('run.dismiss')}
        </Button>
      </form>
    );
  }
  return (
    <div className={classes.nameLine}>
      <h1 dir="auto" title={name}>
        {name}
      </h1>
      <Tooltip label={t('run.rename')}>
        <ActionIcon aria-label={t('run.rename')} onClick={() => setDraft(run.name)}>
          <Icon name="edit" size={14} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label={t(starred ? 'run.unstar' : 'run.star')}>
        <ActionIcon
          aria-label={t('run.starred')}
          aria-pressed={starred}
          className={starred ? classes.starred : undefined}
          onClick={() => change({ starred: !starred })}
        >
          <Icon name="star" size={15} fill={starred ? 'currentColor' : 'none'} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}
