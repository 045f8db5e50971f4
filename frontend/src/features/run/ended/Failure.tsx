import type { ParseKeys } from 'i18next';
import { useTranslation } from 'react-i18next';
import type { RunError } from '@/api';
import { Notice } from '@/components/Notice';
import { useNames } from '@/lib/names';
import runClasses from '../run.module.css';
import classes from './ended.module.css';

/** Why it failed: by its code in the reader's words, in the server's own, and where the strategy's code was. */
export function Failure({ error }: { error: RunError }) {
  const { t, i18n } = useTranslation();
  const names = useNames();
  const known = names.error(error);
  const key = `failure.${error.code}`;
  const advice = i18n.exists(key) ? t(key as ParseKeys as 'failure.strategy_error') : null;
  const traceback = texts(error.details?.traceback);
  const fields = fieldErrors(error.details?.errors);
  return (
    <div role="alert" className={classes.failure}>
      <Notice
        tone="danger"
        title={error.stage ? t('ended.failed_in', { stage: names.stage(error.stage) }) : t('ended.failed')}
      >
        {known}
        {known !== error.message && (
          <span className={classes.said} dir="auto">
            {error.message}
          </span>
        )}
        {fields.length > 0 && (
          <ul className={classes.fields}>
            {fields.map((field) => (
              <li key={field.pointer + field.message}>
                <span className="mono">{field.pointer}</span> {field.message}
              </li>
            ))}
          </ul>
        )}
        {advice && <span className={classes.said}>{advice}</span>}
        <span className={`${classes.said} dim`}>
          {t('common.error_code')} <span className="mono">{error.code}</span>
        </span>
      </Notice>
      {traceback.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scroll area must be reachable by keyboard
        <pre className={runClasses.code} tabIndex={0}>
          {traceback.join('\n')}
        </pre>
      )}
    </div>
  );
}

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.map(String) : typeof value === 'string' ? [value] : [];

function fieldErrors(value: unknown): { pointer: string; message: string }[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one) =>
    typeof one === 'object' && one !== null && 'message' in one
      ? [{ pointer: String((one as { pointer?: unknown }).pointer ?? ''), message: String(one.message) }]
      : [],
  );
}
