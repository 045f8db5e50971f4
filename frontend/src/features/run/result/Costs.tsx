import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Backtest } from '@/api';
import { Facts } from '@/components/Facts';
import { Panel } from '@/components/Panel';
import { EmptyState } from '@/components/States';
import { useFormat } from '@/lib/use-format';
import runClasses from '../run.module.css';
import classes from './result.module.css';
import { waterfallOf } from './waterfall';

export default function Costs({ run }: { run: Backtest }) {
  return (
    <div className={runClasses.split}>
      <Breakdown run={run} />
      <Settings run={run} />
    </div>
  );
}

function Breakdown({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const f = useFormat();
  const found = waterfallOf(run);
  if (!found) {
    return (
      <Panel title={t('costs.breakdown')}>
        <EmptyState title={t('costs.unknown')} />
      </Panel>
    );
  }
  const rows = [
    { label: t('costs.gross'), value: found.gross, color: 'var(--line-strong)' },
    ...found.parts.map(({ kind, money }) => ({
      label: t(`costs.${kind}`),
      value: money,
      color: money > 0 ? 'var(--gain)' : 'var(--loss)',
    })),
    { label: t('costs.net'), value: found.net, color: 'var(--accent)' },
  ];
  const widest = Math.max(...rows.map((row) => Math.abs(row.value)));
  const fills = run.result?.fills ?? 0;
  const facts = [
    found.gross > 0 && t('costs.share', { value: f.percent(found.paid / found.gross) }),
    t('costs.fills', { count: fills, n: f.integer(fills) }),
    fills > 0 && t('costs.per_fill', { value: f.money(found.paid / fills) }),
  ];
  return (
    <Panel title={t('costs.breakdown')}>
      <div className={classes.waterfall}>
        {rows.map((row) => (
          <div key={row.label} style={{ display: 'contents' }}>
            <span className="small soft">{row.label}</span>
            <i style={{ width: bar(row.value, widest), background: row.color }} />
            <span className="num small strong right">{f.money(row.value, { signed: true })}</span>
          </div>
        ))}
      </div>
      <p className="small soft" style={{ marginTop: 14 }}>
        {facts.filter(Boolean).join(' · ')}
      </p>
      <p className="tiny dim" style={{ marginTop: 4 }}>
        {t('costs.effect_note')}
      </p>
    </Panel>
  );
}

const bar = (value: number, widest: number) =>
  value === 0 || widest === 0 ? 0 : `${Math.max(0.6, (Math.abs(value) / widest) * 100)}%`;

/** What trading was set to cost. */
function Settings({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const f = useFormat();
  const { costs } = run.config;
  const bps = (value: number) => t('costs.bps', { n: f.number(value, value % 1 === 0 ? 0 : 1) });
  const rows: [string, string][] = [
    [t('costs.rate'), bps(costs.commission_rate * 10_000)],
    [t('costs.slippage'), bps(costs.slippage_bps)],
  ];
  if (costs.commission_per_share) rows.push([t('costs.per_share'), f.price(costs.commission_per_share)]);
  if (costs.commission_fixed) rows.push([t('costs.fixed'), f.price(costs.commission_fixed)]);
  if (costs.commission_min) rows.push([t('costs.minimum'), f.price(costs.commission_min)]);
  if (costs.borrow_rate) rows.push([t('costs.borrow_rate'), f.percent(costs.borrow_rate)]);
  return (
    <Panel title={t('costs.settings')}>
      <Facts rows={rows} />
      <p className="small soft" style={{ margin: '12px 0 8px' }}>
        {t('costs.change_hint')}
      </p>
      <Button
        variant="default"
        renderRoot={(props) => <Link to="/runs/new" search={{ from: run.backtest_id }} {...props} />}
      >
        {t('run.change')}
      </Button>
    </Panel>
  );
}
