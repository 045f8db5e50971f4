import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { type Backtest, type Manifest, useBacktest, useManifest } from '@/api';
import { CopyText } from '@/components/CopyText';
import { Facts } from '@/components/Facts';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { PartError } from '@/components/PartError';
import { PageSkeleton } from '@/components/States';
import { EM_DASH } from '@/lib/format';
import { useFormat } from '@/lib/use-format';
import { Configuration } from '../Configuration';
import runClasses from '../run.module.css';
import classes from './result.module.css';

const short = (hash: string) => (hash.length > 16 ? `${hash.slice(0, 8)}…${hash.slice(-4)}` : hash);
const text = (value: unknown): string => (value === null || value === undefined ? EM_DASH : String(value));

export default function Proof({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const query = useManifest(run.backtest_id);
  const used = useMemo(() => {
    const day = (name: 'first_date' | 'last_date') => {
      const value = query.data?.[name];
      return typeof value === 'string' ? value.slice(0, 10) : undefined;
    };
    const [first, last] = [day('first_date'), day('last_date')];
    return {
      start_date: first && t('proof.first_bar', { day: first }),
      end_date: last && t('proof.last_bar', { day: last }),
    };
  }, [query.data, t]);
  if (query.isError) return <PartError error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <PageSkeleton heights={[260, 400]} />;
  return (
    <div className="stack">
      <Identity run={run} manifest={query.data} />
      <div className={runClasses.split}>
        <Configuration config={run.config} used={used} />
        <Environment run={run} manifest={query.data} />
      </div>
    </div>
  );
}

function Identity({ run, manifest }: { run: Backtest; manifest: Manifest }) {
  const { t } = useTranslation();
  const parts = [
    [t('proof.config'), manifest.config_hash],
    [t('proof.data'), manifest.data_hash],
    [t('proof.strategy'), text(manifest.strategy.code_hash)],
    [t('proof.engine'), text(manifest.engine_semantics)],
  ] as const;
  const results = [
    [t('proof.equity_hash'), manifest.equity_hash],
    [t('proof.fills_hash'), manifest.fills_hash],
    [t('proof.file_hash'), run.result?.sha256 ?? EM_DASH],
  ] as const;
  return (
    <Panel title={t('proof.title')}>
      <p className="soft">{t('proof.body')}</p>
      <div className={classes.chain}>
        {parts.map(([label, value]) => (
          <div key={label} className={classes.link}>
            <h3>{label}</h3>
            <span className="mono" title={value}>
              {short(value)}
            </span>
          </div>
        ))}
        <span className={classes.equals} aria-hidden="true">
          =
        </span>
        <div className={classes.link} data-sum>
          <h3>{t('proof.fingerprint')}</h3>
          <span className="row">
            <span className="mono strong truncate" title={manifest.fingerprint}>
              {manifest.fingerprint.slice(0, 16)}…
            </span>
            <CopyText value={manifest.fingerprint} />
          </span>
        </div>
      </div>
      <div className={classes.hashes}>
        {results.map(([label, hash]) => (
          <div key={label} style={{ display: 'contents' }}>
            <span className="small soft">{label}</span>
            <span className="mono">{hash}</span>
          </div>
        ))}
      </div>
      {run.rerun_of && <Repeated run={run} original={run.rerun_of} />}
    </Panel>
  );
}

/** A run that repeats another can be held against it. */
function Repeated({ run, original }: { run: Backtest; original: string }) {
  const { t } = useTranslation();
  const { data } = useBacktest(original);
  if (!data?.fingerprint || !run.fingerprint) return null;
  const same = data.fingerprint === run.fingerprint;
  return (
    <div style={{ marginTop: 14 }}>
      <Notice tone={same ? 'accent' : 'warn'} title={t(same ? 'proof.same' : 'proof.different')}>
        {t(same ? 'proof.same_body' : 'proof.different_body')}{' '}
        <Link className="link" to="/runs/$id" params={{ id: original }} search={{ tab: 'proof' }}>
          <bdi>{data.name}</bdi>
        </Link>
      </Notice>
    </div>
  );
}

function Environment({ run, manifest }: { run: Backtest; manifest: Manifest }) {
  const { t } = useTranslation();
  const f = useFormat();
  const versions = isTexts(manifest.versions) ? Object.entries(manifest.versions) : [];
  const plugin = manifest.strategy.plugin;
  return (
    <Panel title={t('proof.environment')}>
      <Facts
        rows={[
          ...versions,
          [t('proof.strategy_version'), text(manifest.strategy.version)],
          ...(plugin ? [[t('proof.plugin'), plain(plugin)] as [string, string]] : []),
          [t('proof.calendar'), text(manifest.calendar)],
          [t('proof.bars'), f.integer(run.result?.bars)],
          [t('proof.worker'), text(manifest.worker)],
          [t('proof.attempts'), text(manifest.attempts)],
          [t('proof.seconds'), typeof manifest.seconds === 'number' ? f.duration(manifest.seconds) : EM_DASH],
          [t('proof.size'), f.bytes(run.result?.bytes)],
        ]}
      />
      <p className="tiny dim" style={{ marginTop: 8 }}>
        {t('proof.environment_note')}
      </p>
    </Panel>
  );
}

const isTexts = (value: unknown): value is Record<string, string> =>
  typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string');

const plain = (value: unknown) => (isTexts(value) ? Object.values(value).join(' ') : text(value));
