import { Checkbox, Skeleton, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '@/lib/use-format';
import classes from './runs.module.css';

export interface FacetOption {
  value: string;
  label: string;
  count?: number;
}

interface FacetPanelProps {
  options: readonly FacetOption[];
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
  loading?: boolean;
  /** What several of them mean. */
  hint?: string;
}

const SEARCHED_FROM = 9;
const SHOWN = 100;

export function FacetPanel({ options, chosen, onChange, loading, hint }: FacetPanelProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const [needle, setNeedle] = useState('');
  const found = options.filter((option) => option.label.toLowerCase().includes(needle.trim().toLowerCase()));
  if (loading) return <Skeleton width={180} height={120} />;
  if (options.length === 0) return <p className="small dim">{t('list.f_nothing')}</p>;
  return (
    <div className={classes.facet}>
      {options.length >= SEARCHED_FROM && (
        <TextInput
          data-autofocus
          placeholder={t('list.f_find')}
          aria-label={t('list.f_find')}
          value={needle}
          onChange={(event) => setNeedle(event.currentTarget.value)}
        />
      )}
      <div className={classes.options}>
        {found.slice(0, SHOWN).map((option) => (
          <div key={option.value} className={classes.option}>
            <Checkbox
              label={option.label}
              checked={chosen.includes(option.value)}
              onChange={(event) =>
                onChange(
                  event.currentTarget.checked
                    ? [...chosen, option.value]
                    : chosen.filter((value) => value !== option.value),
                )
              }
            />
            {option.count !== undefined && <span className="num tiny dim">{f.integer(option.count)}</span>}
          </div>
        ))}
        {found.length === 0 && <p className="small dim">{t('list.f_nothing')}</p>}
        {found.length > SHOWN && <p className="tiny dim">{t('list.f_more', { n: found.length - SHOWN })}</p>}
      </div>
      {hint && chosen.length > 1 && <p className="tiny dim">{hint}</p>}
    </div>
  );
}
