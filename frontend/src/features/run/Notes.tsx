import { Button } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Backtest, useUpdateBacktest } from '@/api';
import { Panel } from '@/components/Panel';
import { notifyProblem } from '@/lib/notify';
import { useFormat } from '@/lib/use-format';
import classes from './run.module.css';

const LONGEST_NOTE = 20_000;
/** From here on the field says how much room is left. */
const NEARLY = 19_000;

/** What the reader thinks of a run: text that nothing interprets. */
export function Notes({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const f = useFormat();
  const update = useUpdateBacktest();
  const [draft, setDraft] = useState<string | null>(null);
  const notes = update.isPending ? (update.variables.patch.notes ?? run.notes) : run.notes;
  const save = () => {
    if (draft === null) return;
    update.mutate(
      { id: run.backtest_id, patch: { notes: draft } },
      { onSuccess: () => setDraft(null), onError: (problem) => notifyProblem(t, problem) },
    );
  };
  return (
    <Panel
      title={t('notes.title')}
      actions={
        draft === null && (
          <Button variant="default" size="compact-xs" onClick={() => setDraft(run.notes)}>
            {t(notes ? 'notes.edit' : 'notes.add')}
          </Button>
        )
      }
    >
      {draft === null ? (
        notes ? (
          <p className={`${classes.noteText} small`} dir="auto">
            {notes}
          </p>
        ) : (
          <p className="small dim">{t('notes.none')}</p>
        )
      ) : (
        <>
          <textarea
            className={classes.noteInput}
            aria-label={t('notes.title')}
            // biome-ignore lint/a11y/noAutofocus: it appears because the reader asked for it
            autoFocus
            dir="auto"
            maxLength={LONGEST_NOTE}
            value={draft}
            onChange={(event) => setDraft(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === 'Escape') setDraft(null);
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save();
            }}
          />
          <div className="row spread" style={{ marginTop: 8 }}>
            <span className="tiny dim num">
              {draft.length >= NEARLY && t('notes.left', { n: f.integer(LONGEST_NOTE - draft.length) })}
            </span>
            <span className="row">
              <Button variant="default" onClick={() => setDraft(null)}>
                {t('run.dismiss')}
              </Button>
              <Button onClick={save} loading={update.isPending}>
                {t('run.save')}
              </Button>
            </span>
          </div>
        </>
      )}
    </Panel>
  );
}
