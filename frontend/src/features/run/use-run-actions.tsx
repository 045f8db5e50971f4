import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useNavigate } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import {
  type ApiProblem,
  useDeleteBacktest,
  useRerunBacktest,
  useRestoreBacktest,
  useResumeBacktest,
} from '@/api';
import { notifyProblem, show } from '@/lib/notify';

const UNDO_MS = 10_000;

/** What can be done with a run that has ended. */
export function useRunActions(id: string) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const rerun = useRerunBacktest();
  const resume = useResumeBacktest();
  const remove = useDeleteBacktest();
  const restore = useRestoreBacktest();
  const onError = (problem: ApiProblem) => notifyProblem(t, problem);
  const open = (run: string) => void navigate({ to: '/runs/$id', params: { id: run } });

  // Promises, not the callbacks of `mutate`: those are dropped with the page that is left.
  const undo = (notice: string) => {
    notifications.hide(notice);
    restore.mutateAsync(id).then(() => open(id), onError);
  };
  const offerUndo = () => {
    const notice = `deleted-${id}`;
    show({
      id: notice,
      autoClose: UNDO_MS,
      message: (
        <span className="row spread">
          {t('run.deleted')}
          <Button variant="default" size="compact-xs" onClick={() => undo(notice)}>
            {t('common.undo')}
          </Button>
        </span>
      ),
    });
  };
  return {
    rerun: () => rerun.mutate({ id }, { onSuccess: (made) => open(made.backtest_id), onError }),
    rerunning: rerun.isPending,
    resume: () => resume.mutate(id, { onError }),
    resuming: resume.isPending,
    /** Leaves the page; for ten seconds one click brings the run back. */
    remove: async () => {
      await navigate({ to: '/runs' });
      await remove.mutateAsync(id).then(offerUndo, onError);
    },
  };
}
