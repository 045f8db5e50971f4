import { Button, Switch } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { ApiProblem } from '@/api';
import { Notice } from '@/components/Notice';
import { useNow } from '@/lib/use-now';
import { useForm } from '../form';
import classes from '../new-backtest.module.css';
import type { Failure } from '../use-submission';

interface SubmitStateProps {
  failure: Failure | null;
  /** Why the draft could not be checked. */
  unchecked: ApiProblem | null;
  checking: boolean;
  wrong: number;
  /** All that is wrong is data that is not there yet. */
  waits: boolean;
  onShowError: () => void;
}

/** One line below the button: why not, or how. */
export function SubmitState({ failure, unchecked, checking, wrong, waits, onShowError }: SubmitStateProps) {
  const { t } = useTranslation();
  return (
    <div className={classes.state} aria-live="polite">
      {failure && failure.problem.status !== 422 ? (
        <Refused failure={failure} />
      ) : unchecked ? (
        <p className="tiny dim">
          {t('new.unchecked')}{' '}
          {unchecked.status === 0 ? t('problem.unreachable_title') : unchecked.detail || unchecked.code}
        </p>
      ) : waits ? (
        <WaitForData onShow={onShowError} />
      ) : wrong > 0 ? (
        <Button variant="subtle" size="compact-xs" className={classes.blocked} onClick={onShowError}>
          {t('new.submit_blocked', { count: wrong })}
        </Button>
      ) : (
        <p className="tiny dim">{checking ? t('new.checking') : <kbd>{shortcut()}</kbd>}</p>
      )}
    </div>
  );
}

const shortcut = () => (/Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘ ↵' : 'Ctrl Enter');

/** Nothing was lost: what happened, and when another try may help. */
function Refused({ failure: { problem, at } }: { failure: Failure }) {
  const { t } = useTranslation();
  const now = useNow(1000);
  const left =
    problem.retryAfter === null ? 0 : Math.max(0, Math.ceil((at - now) / 1000 + problem.retryAfter));
  const title =
    problem.status === 0
      ? t('problem.unreachable_title')
      : problem.status === 429
        ? t('problem.busy_title')
        : problem.status === 503 || problem.status === 507
          ? t('problem.unavailable_title')
          : problem.status >= 500
            ? t('problem.server_title')
            : t('new.refused');
  return (
    <div role="alert">
      <Notice tone="danger" title={`${title}.`}>
        {problem.status === 0 ? t('new.kept_offline') : `${problem.detail}.`.replace(/\.\.$/, '.')}{' '}
        {problem.retryAfter !== null &&
          (left > 0 ? `${t('problem.retry_after', { n: left })}.` : t('new.retry_now'))}
        {problem.requestId && problem.status >= 500 && (
          <span className="mono dim">
            {' '}
            {problem.code} · {problem.requestId}
          </span>
        )}
      </Notice>
    </div>
  );
}

function WaitForData({ onShow }: { onShow: () => void }) {
  const { t } = useTranslation();
  const { draft, change } = useForm();
  return (
    <Notice>
      {t('new.data_missing')}{' '}
      <button type="button" className={classes.reset} onClick={onShow}>
        {t('new.show_it')}
      </button>
      <Switch
        className={classes.wait}
        label={t('new.wait_for_data')}
        description={t('new.wait_hint')}
        checked={draft.wait_for_data}
        onChange={(event) => change({ wait_for_data: event.currentTarget.checked })}
      />
    </Notice>
  );
}
