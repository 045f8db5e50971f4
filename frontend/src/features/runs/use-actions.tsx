import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useNavigate } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { type BacktestSummary, type BulkAction, type BulkOutcome, useBulkAction } from '@/api';
import { notifyProblem, show } from '@/lib/notify';
import { refreshSelection, select } from './selection';

const UNDO_MS = 10_000;
const SAID_MS = 5000;
type Runs = readonly BacktestSummary[];
type Change = Omit<BulkAction, 'action' | 'ids'>;

export const waits = (run: BacktestSummary) => run.status === 'queued' || run.status === 'pending';
export const works = (run: BacktestSummary) => run.status === 'running';
export const canResume = (run: BacktestSummary) => run.status === 'failed' || run.status === 'cancelled';

/** How many were refused, by the code of the reason. */
export function refusals(outcomes: readonly BulkOutcome[]): Map<string, { count: number; detail: string }> {
  const found = new Map<string, { count: number; detail: string }>();
  for (const { error } of outcomes) {
    if (!error) continue;
    const same = found.get(error.code);
    found.set(error.code, { count: (same?.count ?? 0) + 1, detail: same?.detail ?? error.detail });
  }
  return found;
}

function changed(
  run: BacktestSummary,
  { add_tags = [], remove_tags = [], ...rest }: Change,
): BacktestSummary {
  const tags = [...new Set([...run.tags, ...add_tags])].filter((tag) => !remove_tags.includes(tag));
  return { ...run, tags, priority: rest.priority ?? run.priority, starred: rest.starred ?? run.starred };
}

/** What can be done to one run or to many; every action says what came of it, and deleting can be undone. */
export function useRunActions() {
  const { t, i18n } = useTranslation();
  const navigate = useNavigate();
  const bulk = useBulkAction();

  const say = (text: string | null, outcomes: readonly BulkOutcome[], button?: ReactNode, ms = SAID_MS) => {
    const refused = [...refusals(outcomes)].map(([code, { count, detail }]) => {
      const key = `list.refused.${code}`;
      return i18n.exists(key)
        ? t(key as 'list.refused.conflict', { count })
        : t('list.refused.other', { count, detail });
    });
    if (!text && refused.length === 0) return null;
    return show({
      autoClose: ms,
      color: refused.length > 0 && !text ? 'red' : undefined,
      message: (
        <span className="row spread">
          <span>{[text, ...refused].filter(Boolean).join(' ')}</span>
          {button}
        </span>
      ),
    });
  };

  const act = async (action: BulkAction['action'], runs: Runs, change: Change = {}) => {
    try {
      const outcomes = await bulk.mutateAsync({
        action,
        ids: runs.map((run) => run.backtest_id),
        ...change,
      });
      const done = runs.filter((_, i) => !outcomes[i]?.error);
      return { outcomes, done };
    } catch (error) {
      notifyProblem(t, error as Parameters<typeof notifyProblem>[1]);
      return null;
    }
  };

  const undelete = async (runs: Runs) => {
    const answer = await act('restore', runs);
    if (!answer) return;
    // deleting a waiting run has ended it: undone means that it waits again
    const again = answer.done.filter(waits);
    if (again.length) await act('resume', again);
    say(answer.done.length ? t('list.restored', { count: answer.done.length }) : null, answer.outcomes);
  };

  return {
    busy: bulk.isPending,
    remove: async (runs: Runs) => {
      const answer = await act('delete', runs);
      if (!answer) return;
      select(answer.done, false);
      const undo = answer.done.length > 0 && (
        <Button
          variant="subtle"
          size="compact-xs"
          onClick={() => {
            if (id) notifications.hide(id);
            void undelete(answer.done);
          }}
        >
          {t('common.undo')}
        </Button>
      );
      const text = answer.done.length ? t('list.deleted', { count: answer.done.length }) : null;
      const id = say(text, answer.outcomes, undo, UNDO_MS);
    },
    restore: async (runs: Runs) => {
      const answer = await act('restore', runs);
      if (!answer) return;
      select(answer.done, false);
      say(answer.done.length ? t('list.restored', { count: answer.done.length }) : null, answer.outcomes);
    },
    rerun: async (runs: Runs) => {
      const answer = await act('rerun', runs);
      if (!answer) return;
      select(answer.done, false);
      const [copy] = answer.done.length === 1 ? answer.outcomes.filter((o) => o.new_backtest_id) : [];
      const open = copy?.new_backtest_id && (
        <Button
          variant="subtle"
          size="compact-xs"
          onClick={() => {
            if (id) notifications.hide(id);
            void navigate({ to: '/runs/$id', params: { id: copy.new_backtest_id as string } });
          }}
        >
          {t('list.open')}
        </Button>
      );
      const text = answer.done.length ? t('list.queued_again', { count: answer.done.length }) : null;
      const id = say(text, answer.outcomes, open || undefined);
    },
    stop: async (runs: Runs) => {
      const answer = await act('cancel', runs);
      if (!answer) return;
      say(answer.done.length ? t('list.stopped', { count: answer.done.length }) : null, answer.outcomes);
    },
    resume: async (runs: Runs) => {
      const answer = await act('resume', runs);
      if (!answer) return;
      say(answer.done.length ? t('list.resumed', { count: answer.done.length }) : null, answer.outcomes);
    },
    change: async (runs: Runs, change: Change) => {
      const answer = await act('change', runs, change);
      if (!answer) return;
      refreshSelection(answer.done.map((run) => changed(run, change)));
      say(answer.done.length ? t('list.changed', { count: answer.done.length }) : null, answer.outcomes);
    },
  };
}

export type RunActions = ReturnType<typeof useRunActions>;
