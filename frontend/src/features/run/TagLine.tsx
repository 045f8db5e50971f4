import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Backtest, useUpdateBacktest } from '@/api';
import { Icon } from '@/components/icons';
import ui from '@/components/ui.module.css';
import { notifyProblem } from '@/lib/notify';
import classes from './run.module.css';

export const LONGEST_TAG = 50;
const MOST_TAGS = 50;

/** The tags with a sign to take one off, and a field for another. */
export function TagLine({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const update = useUpdateBacktest();
  const [draft, setDraft] = useState<string | null>(null);
  const tags = update.isPending ? (update.variables.patch.tags ?? run.tags) : run.tags;
  const set = (next: string[]) =>
    update.mutate(
      { id: run.backtest_id, patch: { tags: next } },
      { onError: (problem) => notifyProblem(t, problem) },
    );
  const add = (text: string) => {
    const more = withTags(tags, text);
    if (more.length > tags.length) set(more);
  };
  return (
    <span className={classes.tags}>
      {tags.map((tag) => (
        <span key={tag} className={ui.tag}>
          <bdi className={classes.tagText}>{tag}</bdi>
          <button
            type="button"
            className={`${classes.untag} touch`}
            aria-label={t('run.remove_tag', { tag })}
            onClick={() => set(tags.filter((one) => one !== tag))}
          >
            <Icon name="close" size={10} />
          </button>
        </span>
      ))}
      {draft === null ? (
        tags.length < MOST_TAGS && (
          <button type="button" className={`${classes.addTag} touch`} onClick={() => setDraft('')}>
            <Icon name="plus" size={10} />
            {t('run.add_tag')}
          </button>
        )
      ) : (
        <input
          className={classes.tagInput}
          // biome-ignore lint/a11y/noAutofocus: it appears because the reader asked for it
          autoFocus
          dir="auto"
          aria-label={t('run.add_tag')}
          placeholder={t('run.tag_hint')}
          maxLength={LONGEST_TAG}
          value={draft}
          onChange={(event) => setDraft(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') setDraft(null);
            if ((event.key === 'Enter' && !event.nativeEvent.isComposing) || event.key === ',') {
              event.preventDefault();
              add(draft);
              setDraft('');
            }
          }}
          onBlur={() => {
            add(draft);
            setDraft(null);
          }}
        />
      )}
    </span>
  );
}

/** With what was typed, if that is a tag and a new one. */
export function withTags(tags: readonly string[], text: string): string[] {
  const tag = text.trim().slice(0, LONGEST_TAG);
  return tag === '' || tags.includes(tag) ? [...tags] : [...tags, tag];
}
