import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Notice as Warning } from '@/api';
import { Notice } from '@/components/Notice';
import { useNoticeWords } from '@/features/run/notices/use-notice-words';
import { partsOf, type Wrong } from '@/lib/error-text';
import { useErrorText, useForm } from '../form';

import classes from '../new-backtest.module.css';

const MANY = 2;

/** What a reader of the result should know before it exists. */
export function Warnings({ warnings }: { warnings: readonly Warning[] }) {
  const { t } = useTranslation();
  const words = useNoticeWords();
  const { draft } = useForm();
  const text = (warning: Warning) => {
    const { code } = warning;
    if (code === 'no_costs') return t('new.w_zero_costs');
    if (code === 'optimistic_fill') return t('new.w_same_close');
    const { title, body } = words(warning);
    return [title, body].filter(Boolean).join(' ');
  };
  const { commission_rate, slippage_bps } = draft.costs;
  return (
    <>
      {warnings.map((warning) => (
        <Notice key={warning.code + warning.message} tone={warning.code === 'data_note' ? 'info' : 'warn'}>
          {text(warning)}
        </Notice>
      ))}
      {Boolean(commission_rate) && !slippage_bps && <Notice>{t('new.w_slippage')}</Notice>}
      {draft.symbols.length >= MANY && <Notice>{t('new.w_survivors')}</Notice>}
    </>
  );
}

/** The result is there already: to be opened, or computed once more. */
export function Identical({ id, onCompute }: { id: string; onCompute: () => void }) {
  const { t } = useTranslation();
  return (
    <Notice tone="accent" title={t('new.duplicate')}>
      {t('new.duplicate_body')}
      <span className={classes.noticeActions}>
        <Link className="link strong" to="/runs/$id" params={{ id }}>
          {t('new.duplicate_open')}
        </Link>
        <Button variant="subtle" size="compact-xs" onClick={onCompute}>
          {t('new.duplicate_compute')}
        </Button>
      </span>
    </Notice>
  );
}

/** Errors that no field shows. An option that this strategy does not have can be taken out here. */
export function OtherErrors({ errors }: { errors: readonly Wrong[] }) {
  const { t } = useTranslation();
  const say = useErrorText();
  const { draft, change } = useForm();
  if (errors.length === 0) return null;
  const remove = (name: string) => {
    const { [name]: _, ...parameters } = draft.parameters;
    change({ parameters });
  };
  return (
    <div role="alert" className={classes.topErrors}>
      {errors.map((error) => {
        const [section, name] = partsOf(error.pointer);
        const surplus = error.code === 'unknown_parameter' && section === 'parameters' && name !== undefined;
        return (
          <Notice
            key={error.pointer + error.code}
            tone="danger"
            title={error.pointer ? <code>{error.pointer}</code> : t('new.whole_input')}
            action={
              surplus && (
                <Button variant="default" size="compact-xs" onClick={() => remove(name)}>
                  {t('new.remove')}
                </Button>
              )
            }
          >
            {say(error)}
          </Notice>
        );
      })}
    </div>
  );
}
