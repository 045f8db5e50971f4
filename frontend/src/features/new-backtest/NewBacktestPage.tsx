import { Button } from '@mantine/core';
import { Link, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Backtest, type Strategy, useBacktest, useSources, useStrategies, useSymbols } from '@/api';
import { PageError } from '@/components/PageError';
import { PageHeader } from '@/components/PageHeader';
import { PageSkeleton } from '@/components/States';
import {
  API_DEFAULTS,
  type Draft,
  draftOf,
  newDraft,
  RULES,
  same,
  type Timeframe,
  timeframesOf,
} from './model/draft';
import { EXAMPLES } from './model/rules';
import { storeDraft, storedDraft } from './model/storage';
import { NewBacktestForm } from './NewBacktestForm';

export function NewBacktestPage() {
  const { from, strategy } = useSearch({ from: '/runs/new' });
  const strategies = useStrategies();
  const sources = useSources();
  const source = sources.data?.find((one) => one.default) ?? sources.data?.[0];
  const timeframe = timeframesOf(source)[0] ?? API_DEFAULTS.timeframe;
  const symbols = useSymbols(source?.name, timeframe);
  const failed = strategies.error ?? sources.error;
  if (failed) {
    return (
      <PageError error={failed} onRetry={() => void Promise.all([strategies.refetch(), sources.refetch()])} />
    );
  }
  if (!strategies.data || !sources.data || symbols.isLoading) return <Loading />;
  const known = (symbols.data ?? []).map((info) => info.symbol);
  const start = { known, timeframe, strategies: strategies.data.items, strategy };
  return from ? (
    <Clone key={from} from={from} {...start} />
  ) : (
    <Editor
      key={`new ${strategy ?? ''}`}
      initial={firstDraft(start)}
      strategies={start.strategies}
      asked={strategy}
    />
  );
}

const Loading = () => <PageSkeleton heights={[36, 320, 140, 320, 160]} />;

interface Start {
  known: readonly string[];
  timeframe: Timeframe;
  strategies: readonly Strategy[];
  strategy: string | undefined;
}

/** A new form, of the strategy that a link names. */
function firstDraft({ known, timeframe, strategies, strategy }: Start): Draft {
  const named = strategies.find((one) => one.name === strategy);
  const draft = newDraft(known, named?.name, timeframe);
  return draft.strategy_type === RULES ? { ...draft, parameters: EXAMPLES.trend } : draft;
}

/** Everything of a run, as a form. */
function Clone({ from, strategies }: Start & { from: string }) {
  const { t } = useTranslation();
  const run = useBacktest(from);
  if (run.error) return <PageError error={run.error} onRetry={() => void run.refetch()} />;
  if (!run.data) return <Loading />;
  const defaults = strategies.find((one) => one.name === run.data.strategy_type)?.defaults;
  return (
    <Editor
      from={from}
      initial={cloned(run.data, defaults)}
      strategies={strategies}
      meta={
        <>
          {t('new.cloned_from')}{' '}
          <Link className="link" to="/runs/$id" params={{ id: from }}>
            {run.data.name}
          </Link>
        </>
      }
    />
  );
}

/** With the name and tags that it has now; they may have been changed since. */
const cloned = (run: Backtest, defaults: Strategy['defaults'] | undefined): Draft => ({
  ...draftOf(run.config, defaults),
  name: run.name,
  tags: [...run.tags],
});

interface EditorProps {
  from?: string;
  initial: Draft;
  strategies: readonly Strategy[];
  /** The strategy that a link names. */
  asked?: string;
  meta?: React.ReactNode;
}

/** Holds the draft, and keeps it while the reader looks elsewhere. */
function Editor({ from, initial, strategies, asked, meta }: EditorProps) {
  const { t } = useTranslation();
  const refused = useStrategies().data?.refused ?? [];
  const sources = useSources().data ?? [];
  const [first, setFirst] = useState(initial);
  const [draft, setDraft] = useState<Draft>(() => restored(initial, from, asked));
  const [submitted, setSubmitted] = useState(false);
  const [round, setRound] = useState(0);
  const changed = !same(draft, first);
  useEffect(() => {
    storeDraft(changed && !submitted ? draft : null, from);
  }, [draft, changed, submitted, from]);
  const source = draft.data_source ?? sources.find((one) => one.default)?.name;
  const symbols = useSymbols(source, draft.timeframe);
  const startOver = () => {
    setFirst(initial);
    setDraft(initial);
    setRound(round + 1);
  };
  return (
    <>
      <PageHeader
        title={t('new.title')}
        meta={meta}
        actions={
          changed && (
            <Button variant="subtle" onClick={startOver}>
              {t('new.start_over')}
            </Button>
          )
        }
      />
      <NewBacktestForm
        key={round}
        draft={draft}
        onChange={(part) => setDraft((old) => ({ ...old, ...part }))}
        onSubmitted={() => {
          setSubmitted(true);
          storeDraft(null, from);
        }}
        strategies={strategies}
        refused={refused}
        symbols={symbols.isLoading ? undefined : (symbols.data ?? [])}
      />
    </>
  );
}

/** The draft that was left, unless a link asks for another strategy than it has. */
function restored(initial: Draft, from: string | undefined, asked: string | undefined): Draft {
  const kept = storedDraft(from);
  if (!kept) return initial;
  if (from || asked === undefined || asked === kept.strategy_type) return kept;
  return { ...kept, strategy_type: initial.strategy_type, parameters: initial.parameters };
}
