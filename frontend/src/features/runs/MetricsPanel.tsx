import { NumberInput } from '@mantine/core';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import classes from './runs.module.css';
import type { RunsSearch } from './search';

type Bound = 'return' | 'cagr' | 'sharpe' | 'trades';
const BOUNDS = [
  { name: 'return', label: 'metric.total_return', short: 'metric_short.total_return', suffix: '%', step: 10 },
  { name: 'cagr', label: 'metric.cagr', short: 'metric_short.cagr', suffix: '%', step: 5 },
  { name: 'sharpe', label: 'metric.sharpe', short: 'metric_short.sharpe', suffix: '', step: 0.1 },
  { name: 'trades', label: 'metric.trade_count', short: 'metric_short.trade_count', suffix: '', step: 10 },
] as const satisfies readonly { name: Bound; label: string; short: string; suffix: string; step: number }[];

/** "Sharpe ≥ 1 · MDD ≤ 20%"; `null`: none. */
export function useMetricsText(search: RunsSearch): string | null {
  const { t } = useTranslation();
  const parts = BOUNDS.flatMap(({ name, short, suffix }) => {
    const [low, high] = [search[`min_${name}`], search[`max_${name}`]];
    const text = (value: number) => `${String(value).replace('-', '−')}${suffix}`;
    if (low !== undefined && high !== undefined) return [`${text(low)} ≤ ${t(short)} ≤ ${text(high)}`];
    if (low !== undefined) return [`${t(short)} ≥ ${text(low)}`];
    return high === undefined ? [] : [`${t(short)} ≤ ${text(high)}`];
  });
  if (search.max_dd !== undefined) parts.push(`${t('metric_short.max_drawdown')} ≤ ${search.max_dd}%`);
  return parts.join(' · ') || null;
}

interface PanelProps {
  search: RunsSearch;
  onChange: (part: RunsSearch) => void;
}

export function MetricsPanel({ search, onChange }: PanelProps) {
  const { t } = useTranslation();
  return (
    <div className={classes.bounds}>
      <span />
      <span className="tiny dim">{t('list.f_at_least')}</span>
      <span className="tiny dim">{t('list.f_at_most')}</span>
      {BOUNDS.map(({ name, label, suffix, step }) => (
        <BoundRow key={name} label={t(label)}>
          {(['min', 'max'] as const).map((end) => (
            <BoundInput
              key={end}
              label={`${t(label)}, ${t(end === 'min' ? 'list.f_at_least' : 'list.f_at_most')}`}
              value={search[`${end}_${name}`]}
              suffix={suffix}
              step={step}
              onChange={(value) => onChange({ [`${end}_${name}`]: value })}
            />
          ))}
        </BoundRow>
      ))}
      <BoundRow label={t('metric.max_drawdown')}>
        <span />
        <BoundInput
          label={t('list.f_max_dd')}
          value={search.max_dd}
          suffix="%"
          step={5}
          onChange={(value) => onChange({ max_dd: value === undefined ? undefined : Math.abs(value) })}
        />
      </BoundRow>
    </div>
  );
}

interface BoundInputProps {
  label: string;
  value: number | undefined;
  suffix: string;
  step: number;
  onChange: (value: number | undefined) => void;
}

/** Has its own text while it is typed into, so that "1." may become "1.5". */
function BoundInput({ label, value, suffix, step, onChange }: BoundInputProps) {
  const [typed, setTyped] = useState<number | string | null>(null);
  const tell = () => {
    if (typed === null) return;
    const number = typed === '' ? undefined : Number(typed);
    setTyped(null);
    if (number !== value && (number === undefined || Number.isFinite(number))) onChange(number);
  };
  const latest = useRef(tell);
  useEffect(() => {
    latest.current = tell;
  });
  // closing the panel with what was typed is meant
  useEffect(() => () => latest.current(), []);
  return (
    <NumberInput
      aria-label={label}
      value={typed ?? value ?? ''}
      suffix={suffix}
      step={step}
      decimalScale={4}
      hideControls
      onChange={setTyped}
      onBlur={tell}
      onKeyDown={(event) => event.key === 'Enter' && tell()}
    />
  );
}

function BoundRow({ label, children }: { label: string; children: ReactNode }) {
  return (
    <>
      <span className="small">{label}</span>
      {children}
    </>
  );
}
