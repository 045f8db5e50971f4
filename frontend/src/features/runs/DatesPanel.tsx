import { TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import classes from './runs.module.css';
import { type RunsSearch, SINCE, type Since } from './search';

interface PanelProps {
  search: RunsSearch;
  onChange: (part: RunsSearch) => void;
}

/** "Last 7 days", or the days themselves; `null`: any. */
export function useDatesText({ since, from, to }: RunsSearch): string | null {
  const { t } = useTranslation();
  if (since) return t(`list.since_${since}`);
  if (from && to) return from === to ? from : `${from} – ${to}`;
  if (from) return `≥ ${from}`;
  return to ? `≤ ${to}` : null;
}

export function DatesPanel({ search, onChange }: PanelProps) {
  const { t } = useTranslation();
  const day = (name: 'from' | 'to') => (
    <TextInput
      type="date"
      label={t(`list.f_${name}`)}
      value={search[name] ?? ''}
      min={name === 'to' ? search.from : undefined}
      max={name === 'from' ? search.to : undefined}
      onChange={(event) => onChange({ since: undefined, [name]: event.currentTarget.value || undefined })}
    />
  );
  return (
    <div className={classes.dates}>
      <div className={classes.presets}>
        {(Object.keys(SINCE) as Since[]).map((since) => (
          <button
            key={since}
            type="button"
            className={classes.chip}
            data-on={search.since === since || undefined}
            aria-pressed={search.since === since}
            onClick={() =>
              onChange({
                since: search.since === since ? undefined : since,
                from: undefined,
                to: undefined,
              })
            }
          >
            {t(`list.since_${since}`)}
          </button>
        ))}
      </div>
      <div className={classes.pair}>
        {day('from')}
        {day('to')}
      </div>
      <p className="tiny dim">{t('list.f_utc')}</p>
    </div>
  );
}
