import { Button, Checkbox, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type BacktestSummary, useBacktestFacet } from '@/api';
import { Icon } from '@/components/icons';
import classes from './runs.module.css';

interface TagPickerProps {
  runs: readonly BacktestSummary[];
  onApply: (add: string[], remove: string[]) => void;
}

const LONGEST = 50;
const SHOWN = 60;
type State = 'all' | 'some' | 'none';

/** Which of the runs have a tag. */
export function stateOf(tag: string, runs: readonly BacktestSummary[]): State {
  const having = runs.filter((run) => run.tags.includes(tag)).length;
  return having === 0 ? 'none' : having === runs.length ? 'all' : 'some';
}

/** Every tag there is, ticked where all selected runs have it; what is changed is applied at once to all of them. */
export function TagPicker({ runs, onApply }: TagPickerProps) {
  const { t } = useTranslation();
  const known = useBacktestFacet('tags', true).data ?? [];
  const [wanted, setWanted] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [text, setText] = useState('');
  const present = runs.flatMap((run) => run.tags);
  const tags = [...new Set([...wanted.keys(), ...present, ...known.map((item) => item.value)])];
  const needle = text.trim();
  const found = tags.filter((tag) => tag.toLowerCase().includes(needle.toLowerCase())).slice(0, SHOWN);
  const want = (tag: string, value: boolean) => setWanted(new Map(wanted).set(tag, value));
  const addTyped = (event: FormEvent) => {
    event.preventDefault();
    if (!needle) return;
    want(needle, true);
    setText('');
  };
  const changes = [...wanted].filter(([tag, value]) => stateOf(tag, runs) !== (value ? 'all' : 'none'));

  return (
    <div className={classes.facet}>
      <form onSubmit={addTyped}>
        <TextInput
          data-autofocus
          placeholder={t('list.tag_find')}
          aria-label={t('list.tag_find')}
          value={text}
          maxLength={LONGEST}
          onChange={(event) => setText(event.currentTarget.value)}
        />
      </form>
      <div className={classes.options}>
        {needle && !tags.includes(needle) && (
          <button type="button" className={classes.newTag} onClick={addTyped}>
            <Icon name="plus" size={12} />
            {t('list.tag_new', { tag: needle })}
          </button>
        )}
        {found.map((tag) => {
          const state = stateOf(tag, runs);
          const ticked = wanted.get(tag) ?? state === 'all';
          return (
            <div key={tag} className={classes.option}>
              <Checkbox
                label={tag}
                checked={ticked}
                indeterminate={!wanted.has(tag) && state === 'some'}
                onChange={(event) => want(tag, event.currentTarget.checked)}
              />
            </div>
          );
        })}
      </div>
      <Button
        fullWidth
        disabled={changes.length === 0}
        onClick={() =>
          onApply(
            changes.flatMap(([tag, value]) => (value ? [tag] : [])),
            changes.flatMap(([tag, value]) => (value ? [] : [tag])),
          )
        }
      >
        {t('list.tag_apply', { count: runs.length })}
      </Button>
    </div>
  );
}
