import { Button, Drawer, SegmentedControl, Skeleton, TagsInput, Textarea, TextInput } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Backtest, type BacktestPatch, useBacktest, useBacktestFacet, useUpdateBacktest } from '@/api';
import { CopyText } from '@/components/CopyText';
import { Facts } from '@/components/Facts';
import { Icon } from '@/components/icons';
import { PartError } from '@/components/PartError';
import { StatusDot } from '@/components/StatusDot';
import { TimeAgo } from '@/components/TimeAgo';
import { useNames } from '@/lib/names';
import { notifyProblem } from '@/lib/notify';
import { useFormat } from '@/lib/use-format';
import classes from './runs.module.css';
import { canResume, type RunActions, waits, works } from './use-actions';

interface RunDrawerProps {
  id: string | undefined;
  actions: RunActions;
  onClose: () => void;
}

/** Everything about a run that its owner may change, without leaving the list. */
export function RunDrawer({ id, actions, onClose }: RunDrawerProps) {
  const { t } = useTranslation();
  return (
    <Drawer
      opened={id !== undefined}
      onClose={onClose}
      position="right"
      size={400}
      lockScroll={false}
      title={<span className="strong">{t('list.details')}</span>}
      // a dialog's header is no banner of the page
      attributes={{ header: { role: 'none' } }}
      closeButtonProps={{ 'aria-label': t('common.close') }}
      overlayProps={{ backgroundOpacity: 0.25 }}
    >
      {id && <Details key={id} id={id} actions={actions} onClose={onClose} />}
    </Drawer>
  );
}

function Details({ id, actions, onClose }: { id: string; actions: RunActions; onClose: () => void }) {
  const query = useBacktest(id);
  if (query.isError && !query.data) {
    return <PartError error={query.error} onRetry={() => void query.refetch()} />;
  }
  if (!query.data) return <Skeleton height={320} />;
  return <Editor run={query.data} actions={actions} onClose={onClose} />;
}

function Editor({ run, actions, onClose }: { run: Backtest; actions: RunActions; onClose: () => void }) {
  const { t } = useTranslation();
  const update = useUpdateBacktest();
  const tags = useBacktestFacet('tags', true).data ?? [];
  const save = (patch: BacktestPatch) =>
    update.mutate({ id: run.backtest_id, patch }, { onError: (problem) => notifyProblem(t, problem) });
  const one = [run];
  const then = (act: (runs: Backtest[]) => Promise<void>) => () => {
    onClose();
    void act(one);
  };
  return (
    <div className={classes.drawer}>
      <SavedText value={run.name} onSave={(name) => name.trim() && save({ name: name.trim() })}>
        {(props) => <TextInput label={t('list.d_name')} maxLength={200} {...props} />}
      </SavedText>
      <TagsInput
        size="xs"
        label={t('list.d_tags')}
        placeholder={run.tags.length ? undefined : t('list.d_tags_hint')}
        value={run.tags}
        data={tags.map((item) => item.value)}
        maxTags={50}
        limit={30}
        clearable={false}
        onChange={(next) => save({ tags: next.map((tag) => tag.slice(0, 50)) })}
      />
      <SavedText value={run.notes} onSave={(notes) => save({ notes })}>
        {(props) => (
          <Textarea
            size="xs"
            label={t('list.d_notes')}
            placeholder={t('list.d_notes_hint')}
            autosize
            minRows={4}
            maxRows={16}
            maxLength={20_000}
            {...props}
          />
        )}
      </SavedText>
      {waits(run) && (
        <div>
          <div className={classes.fieldLabel} id="priority-label">
            {t('list.priority')}
          </div>
          <SegmentedControl
            fullWidth
            aria-labelledby="priority-label"
            value={run.priority}
            data={(['low', 'normal', 'high'] as const).map((value) => ({
              value,
              label: t(`list.p_${value}`),
            }))}
            onChange={(value) => save({ priority: value as 'low' | 'normal' | 'high' })}
          />
        </div>
      )}
      <p className="tiny dim" aria-live="polite">
        {update.isPending ? t('list.saving') : update.isSuccess ? t('list.saved') : t('list.d_saved_hint')}
      </p>
      <RunFacts run={run} />
      <div className={classes.drawerActions}>
        <Button renderRoot={(props) => <Link to="/runs/$id" params={{ id: run.backtest_id }} {...props} />}>
          {t('list.open')}
        </Button>
        <Button
          variant="default"
          leftSection={<Icon name="repeat" size={14} />}
          onClick={then(actions.rerun)}
        >
          {t('list.rerun')}
        </Button>
        {canResume(run) && (
          <Button
            variant="default"
            leftSection={<Icon name="play" size={14} />}
            onClick={then(actions.resume)}
          >
            {t('list.resume')}
          </Button>
        )}
        {waits(run) || works(run) ? (
          <Button variant="danger" leftSection={<Icon name="stop" size={14} />} onClick={then(actions.stop)}>
            {t('list.stop')}
          </Button>
        ) : (
          run.status !== 'cancelling' && (
            <Button
              variant="danger"
              leftSection={<Icon name="trash" size={14} />}
              onClick={then(actions.remove)}
            >
              {t('list.delete')}
            </Button>
          )
        )}
      </div>
    </div>
  );
}

function RunFacts({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const f = useFormat();
  const names = useNames();
  const { config } = run;
  const parameters = Object.entries(config.parameters ?? {})
    .map(([name, value]) => `${names.parameter(name)} ${String(value)}`)
    .join(', ');
  const rows: [string, React.ReactNode][] = [
    [t('list.col_status'), <StatusDot key="s" status={run.status} />],
    [
      t('list.f_strategy'),
      <span key="s">
        {names.strategy(run.strategy_type)}
        {parameters && run.strategy_type !== 'rules' && <span className="dim"> · {parameters}</span>}
      </span>,
    ],
    [t('list.col_symbols'), config.symbols.slice(0, 12).join(' ') + moreOf(config.symbols.length - 12)],
    [
      t('list.d_period'),
      <span key="p" className="num">
        {config.start_date || config.end_date
          ? `${config.start_date ?? ''} – ${config.end_date ?? ''}`
          : t('list.whole_history')}{' '}
        · {t(`common.timeframe_${config.timeframe}`)}
      </span>,
    ],
    [
      t('list.d_capital'),
      <span key="c" className="num">
        {f.money(run.initial_capital)}
      </span>,
    ],
    [t('list.col_created'), <TimeAgo key="t" at={run.created_at} />],
    [t('list.col_duration'), f.duration(run.execution_seconds)],
    [
      'ID',
      <span key="i" className="row" style={{ justifyContent: 'flex-end', gap: 4 }}>
        <span className="mono">{run.backtest_id}</span>
        <CopyText value={run.backtest_id} />
      </span>,
    ],
  ];
  if (run.error) rows.splice(1, 0, [t('list.d_reason'), names.error(run.error)]);
  return <Facts rows={rows} />;
}

const moreOf = (n: number) => (n > 0 ? ` +${n}` : '');

interface SavedTextProps {
  value: string;
  onSave: (value: string) => void;
  children: (props: {
    value: string;
    onChange: (event: { currentTarget: { value: string } }) => void;
    onBlur: () => void;
  }) => React.ReactNode;
}

const SAVE_MS = 1200;

/** Saves when the typing pauses and when the field is left, also by closing what it is in. */
function SavedText({ value, onSave, children }: SavedTextProps) {
  const [typed, setTyped] = useState<string | null>(null);
  const sent = useRef(value);
  const save = () => {
    if (typed === null || typed === sent.current) return;
    sent.current = typed;
    onSave(typed);
  };
  const latest = useRef(save);
  useEffect(() => {
    latest.current = save;
  });
  useEffect(() => {
    if (typed === null) return;
    const timer = setTimeout(() => latest.current(), SAVE_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  useEffect(() => () => latest.current(), []);
  return children({
    value: typed ?? value,
    onChange: (event) => setTyped(event.currentTarget.value),
    onBlur: save,
  });
}
