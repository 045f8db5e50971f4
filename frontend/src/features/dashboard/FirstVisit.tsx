import { Button } from '@mantine/core';
import { Link, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { newIdempotencyKey, useSubmitBacktest } from '@/api';
import { Icon } from '@/components/icons';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import classes from './dashboard.module.css';
import { demoBacktest } from './demo';

const FirstVisitChart = lazy(() => import('./FirstVisitChart'));
const STEPS = ['step1', 'step2', 'step3'] as const;

export function FirstVisit() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const submit = useSubmitBacktest();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const run = async () => {
    const backtest = demoBacktest(t('first.demo_name'));
    // Not a callback of `mutate`: as soon as a run exists this page is the dashboard, and its callbacks are gone.
    const submitted = await submit
      .mutateAsync({ backtest, options: { use_cache: false }, idempotencyKey })
      .catch(() => null);
    if (submitted) void navigate({ to: '/runs/$id', params: { id: submitted.backtest_id } });
  };
  return (
    <>
      <PageHeader title={t('nav.dashboard')} meta={t('first.eyebrow')} />
      <section className={classes.first}>
        <div className={classes.pitch}>
          <h2 className={classes.headline}>{t('first.title')}</h2>
          <p>{t('first.body')}</p>
          <div className="row wrap" style={{ marginTop: 8 }}>
            <Button
              size="sm"
              leftSection={<Icon name="play" size={14} />}
              loading={submit.isPending || submit.isSuccess}
              onClick={() => void run()}
            >
              {t('first.run')}
            </Button>
            <Button size="sm" variant="subtle" renderRoot={(props) => <Link to="/runs/new" {...props} />}>
              {t('first.own')}
            </Button>
          </div>
          {submit.error && (
            <div role="alert">
              <Notice tone="danger" title={t('first.refused')}>
                {submit.error.detail || submit.error.code}
              </Notice>
            </div>
          )}
        </div>
        <div className={classes.picture}>
          <Suspense fallback={<div style={{ height: 460 }} />}>
            <FirstVisitChart />
          </Suspense>
          <p className={`${classes.caption} tiny dim`}>{t('first.chart_legend')}</p>
        </div>
      </section>
      <ol className={classes.steps}>
        {STEPS.map((step, index) => (
          <li key={step}>
            <span className="num">{index + 1}</span>
            <h2>{t(`first.${step}`)}</h2>
            <p className="soft">{t(`first.${step}_body`)}</p>
          </li>
        ))}
      </ol>
    </>
  );
}
