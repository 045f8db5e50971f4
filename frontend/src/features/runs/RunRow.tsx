import type { TFunction } from 'i18next';
import { type MouseEvent, memo } from 'react';
import { type BacktestSummary, isActive } from '@/api';
import { Icon } from '@/components/icons';
import { ProgressBar } from '@/components/ProgressBar';
import { Sparkline } from '@/components/Sparkline';
import { StatusDot } from '@/components/StatusDot';
import { Tag } from '@/components/Tag';
import { EM_DASH, type Formatter } from '@/lib/format';
import { formatMetric, toneOf } from '@/lib/metrics';
import type { Names } from '@/lib/names';
import { METRIC_CELLS } from './columns';
import classes from './runs.module.css';

const TAGS = 2;

export interface RowHandlers {
  onToggle: (index: number, range: boolean) => void;
  onOpen: (run: BacktestSummary) => void;
  onStar: (run: BacktestSummary) => void;
  onMenu: (run: BacktestSummary, button: HTMLElement) => void;
}

/** Made once for all rows: each of them would take longer to have its own than to be drawn. */
export interface Words {
  t: TFunction;
  f: Formatter;
  names: Names;
}

interface RunRowProps extends RowHandlers {
  words: Words;
  run: BacktestSummary;
  top: number;
  height: number;
  index: number;
  selected: boolean;
  current: boolean;
  now: number;
  /** Place in the queue, where it is known. */
  position?: number | null;
}

export const RunRow = memo(function RunRow({ words, run, top, height, index, ...rest }: RunRowProps) {
  const { selected, current, now, position, onToggle, onOpen, onStar, onMenu } = rest;
  const { t } = words;
  const open = (event: MouseEvent<HTMLElement>) => {
    const onControl = (event.target as Element).closest('a, button, input, label');
    if (!onControl && !String(getSelection())) onOpen(run);
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Enter opens the current row, and the name is a link
    <div
      role="row"
      aria-rowindex={index + 2}
      tabIndex={-1}
      className={classes.row}
      data-index={index}
      data-status={run.status}
      data-selected={selected || undefined}
      data-current={current || undefined}
      style={{ top, height }}
      onClick={open}
    >
      <span role="cell" className={classes.check}>
        <label>
          <input
            type="checkbox"
            className={classes.box}
            aria-label={t('list.select_row', { name: run.name })}
            checked={selected}
            onChange={(event) => onToggle(index, (event.nativeEvent as PointerEvent).shiftKey === true)}
          />
        </label>
      </span>
      <NameCell words={words} run={run} onStar={onStar} onOpen={onOpen} />
      <StatusCell words={words} run={run} position={position} now={now} />
      <SymbolsCell words={words} run={run} />
      {run.error && !run.metrics ? (
        <ReasonCell words={words} run={run} />
      ) : (
        <FigureCells words={words} run={run} />
      )}
      <span role="cell" className={classes.duration} data-num>
        <Duration words={words} run={run} />
      </span>
      <Created words={words} run={run} now={now} />
      <span role="cell" className={classes.more}>
        <button
          type="button"
          className={classes.moreButton}
          aria-label={t('list.menu', { name: run.name })}
          aria-haspopup="menu"
          onClick={(event) => onMenu(run, event.currentTarget)}
        >
          <Icon name="more" />
        </button>
      </span>
    </div>
  );
});

interface CellProps {
  words: Words;
  run: BacktestSummary;
}

interface NameCellProps extends CellProps, Pick<RowHandlers, 'onStar' | 'onOpen'> {}

function NameCell({ words: { t, names }, run, onStar, onOpen }: NameCellProps) {
  // a click with a key held down is the browser's: another tab, another window
  const follow = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    onOpen(run);
  };
  return (
    <span role="cell" className={classes.name}>
      <button
        type="button"
        className={classes.star}
        data-on={run.starred || undefined}
        aria-pressed={run.starred}
        aria-label={t('list.star', { name: run.name })}
        disabled={run.deleted_at !== null}
        onClick={() => onStar(run)}
      >
        <Icon name="star" size={14} fill={run.starred ? 'currentColor' : 'none'} />
      </button>
      <span className={classes.nameText}>
        {run.deleted_at ? (
          <span className={`${classes.link} truncate`}>{run.name}</span>
        ) : (
          <a
            href={`/runs/${run.backtest_id}`}
            className={`${classes.link} truncate`}
            title={run.name}
            onClick={follow}
          >
            {run.name}
          </a>
        )}
        <span className={`${classes.second} tiny dim`}>
          <span className="truncate">{names.strategy(run.strategy_type)}</span>
          {run.tags.slice(0, TAGS).map((tag) => (
            <span key={tag} className={classes.tag} title={tag}>
              <Tag>{tag}</Tag>
            </span>
          ))}
          {run.tags.length > TAGS && (
            <span title={run.tags.slice(TAGS).join(', ')}>+{run.tags.length - TAGS}</span>
          )}
          {run.has_notes && (
            <span className={classes.note} title={t('list.has_notes')}>
              <Icon name="note" size={12} />
              <span className="visually-hidden">{t('list.has_notes')}</span>
            </span>
          )}
        </span>
      </span>
    </span>
  );
}

interface StatusCellProps extends CellProps {
  position?: number | null;
  now: number;
}

function StatusCell({ words: { t, f, names }, run, position, now }: StatusCellProps) {
  const working = run.status === 'running' || run.status === 'cancelling';
  const notes = [
    run.deleted_at && t('list.deleted_ago', { time: f.ago(run.deleted_at, now) }),
    run.status === 'running' && names.stage(run.current_step),
    run.status === 'queued' &&
      position &&
      t(run.priority === 'normal' ? 'runs.position' : 'list.place', { n: position }),
    run.status === 'queued' && run.priority !== 'normal' && t(`list.priority_${run.priority}`),
    run.partial && t('status.partial'),
  ].filter(Boolean);
  return (
    <span role="cell" className={classes.status}>
      {run.metrics && (
        <span className={`${classes.phone} num`}>
          {t('metric_short.sharpe')} {f.number(run.metrics.sharpe)} · {t('metric_short.max_drawdown')}{' '}
          {f.percent(run.metrics.max_drawdown)}
        </span>
      )}
      <StatusDot
        status={run.status}
        note={working ? f.percent(run.progress / 100, { digits: 0 }) : undefined}
      />
      {notes.length > 0 && <span className="tiny dim truncate">{notes.join(' · ')}</span>}
    </span>
  );
}

function SymbolsCell({ words: { t }, run }: CellProps) {
  const more = run.symbol_count - 2;
  const month = (day: string | null) => day?.slice(0, 7) ?? '';
  return (
    <span role="cell" className={classes.symbols} title={run.symbols.join(' ')}>
      <span className="truncate">
        {run.symbols.slice(0, 2).join(' ')}
        {more > 0 && <span className="dim"> +{more}</span>}
      </span>
      <span className="num tiny dim">
        {run.start_date || run.end_date
          ? `${month(run.start_date)} – ${month(run.end_date)}`
          : t('list.whole_history')}
      </span>
    </span>
  );
}

function ReasonCell({ words: { names }, run }: CellProps) {
  const reason = run.error ? names.error(run.error) : '';
  return (
    <span role="cell" className={classes.reason} title={reason}>
      <span>{reason}</span>
    </span>
  );
}

function FigureCells({ words: { t, f, names }, run }: CellProps) {
  const none = isActive(run.status) ? 'not_finished' : 'no_result';
  const figure = (key: (typeof METRIC_CELLS)[number][0], metric: (typeof METRIC_CELLS)[number][1]) => {
    const value = run.metrics?.[key];
    if (value === null || value === undefined) {
      return <Missing why={names.reason(run.null_reasons[key] ?? none)} />;
    }
    return <span className={`num ${toneOf(metric, value) ?? ''}`}>{formatMetric(f, metric, value)}</span>;
  };
  return (
    <>
      <span role="cell" className={classes.curve}>
        {run.status === 'running' || run.status === 'cancelling' ? (
          <ProgressBar value={run.progress / 100} label={run.name} />
        ) : (
          run.sparkline.length > 1 && (
            <Sparkline values={run.sparkline} width={104} height={28} label={t('runs.col_curve')} />
          )
        )}
      </span>
      {METRIC_CELLS.map(([key, metric]) => (
        <span role="cell" key={key} className={classes[key]} data-num>
          {figure(key, metric)}
        </span>
      ))}
    </>
  );
}

function Missing({ why }: { why: string }) {
  return (
    <span className="dim" title={why}>
      <span aria-hidden="true">{EM_DASH}</span>
      <span className="visually-hidden">{why}</span>
    </span>
  );
}

function Duration({ words: { t, f }, run }: CellProps) {
  if (run.cached_from) {
    return (
      <span className="dim" title={t('list.reused_hint')}>
        {t('list.reused')}
      </span>
    );
  }
  if (run.execution_seconds === null) {
    return <Missing why={t(isActive(run.status) ? 'null_reason.not_finished' : 'list.no_duration')} />;
  }
  return <span className="num">{f.duration(run.execution_seconds)}</span>;
}

function Created({ words: { f }, run, now }: CellProps & { now: number }) {
  return (
    <span role="cell" className={`${classes.created_at} dim`} data-num>
      <time dateTime={run.created_at} title={f.dateTime(run.created_at)}>
        {f.ago(run.created_at, now)}
      </time>
    </span>
  );
}

/** A row that has not been read yet keeps its place. */
export function RowSkeleton({ top, height, index }: { top: number; height: number; index: number }) {
  return (
    <div role="row" aria-rowindex={index + 2} className={classes.row} data-loading style={{ top, height }}>
      <span role="cell" className={classes.check} />
      <span role="cell" className={classes.name}>
        <span className={classes.star} />
        <span className={classes.nameText}>
          <i style={{ width: `${50 + ((index * 37) % 40)}%` }} />
          <i style={{ width: `${30 + ((index * 23) % 30)}%` }} />
        </span>
      </span>
      {['status', 'symbols', 'curve', 'total_return'].map((name) => (
        <span role="cell" key={name} className={classes[name]}>
          <i />
        </span>
      ))}
    </div>
  );
}
