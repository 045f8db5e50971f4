import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Backtest, RunStatus } from '@/api';
import { PageHeader } from '@/components/PageHeader';
import { StatusDot } from '@/components/StatusDot';
import { useNames } from '@/lib/names';
import { useFormat } from '@/lib/use-format';
import { NameLine } from './NameLine';
import { parameterText } from './parameters';
import { TagLine } from './TagLine';

interface RunHeadingProps {
  run: Backtest;
  /** The newest one known, where it is newer than the run's. */
  status?: RunStatus;
  tabTitle?: string;
  statusNote?: string;
  /** Days of the first and the last bar, where they are known. */
  bars?: readonly [string, string];
  actions?: ReactNode;
}

const SHOWN_SYMBOLS = 6;

export function RunHeading({
  run,
  status = run.status,
  tabTitle,
  statusNote,
  bars,
  actions,
}: RunHeadingProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const names = useNames();
  const parameters = parameterText(run.config.parameters, names);
  const period = periodOf(run, bars);
  const more = run.symbol_count - SHOWN_SYMBOLS;
  return (
    <PageHeader
      title={run.name}
      heading={<NameLine run={run} />}
      tabTitle={tabTitle}
      meta={
        <span className="row wrap" style={{ columnGap: 14, rowGap: 2 }}>
          <StatusDot status={status} note={statusNote} />
          <span>
            {names.strategy(run.strategy_type)}
            {parameters && ` · ${parameters}`}
          </span>
          <span title={run.config.symbols.join(' ')}>
            {run.symbols.slice(0, SHOWN_SYMBOLS).join(' ')}
            {more > 0 && ` ${t('run.more_symbols', { n: f.integer(more) })}`}
          </span>
          {period && <span className="num">{period}</span>}
          {run.timeframe !== '1d' && <span>{t(`common.timeframe_${run.config.timeframe}`)}</span>}
          <TagLine run={run} />
        </span>
      }
      actions={actions}
    />
  );
}

/** As asked for; an open end is that of the bars, or left open. */
function periodOf({ start_date, end_date }: Backtest, bars?: readonly [string, string]): string | null {
  const [from, to] = [start_date ?? bars?.[0].slice(0, 10), end_date ?? bars?.[1].slice(0, 10)];
  return from || to ? `${from ?? '…'} – ${to ?? '…'}` : null;
}
