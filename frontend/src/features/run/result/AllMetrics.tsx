import { Tooltip } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { MetricsAnswer } from '@/api';
import { Facts } from '@/components/Facts';
import { Panel } from '@/components/Panel';
import { MetricValue } from '../MetricValue';
import { byGroup, type Values } from '../metrics';
import { useMetricWords } from '../use-metrics';
import classes from './result.module.css';

/** Everything that is measured, by group, each with its definition. */
export function AllMetrics({ answer, timeframe }: { answer: MetricsAnswer; timeframe: string }) {
  const { t } = useTranslation();
  const words = useMetricWords(timeframe);
  const values: Values = { ...answer.metrics, ...answer.benchmark_metrics, ...answer.full_metrics };
  const reasons = { ...answer.full_null_reasons, ...answer.null_reasons };
  return (
    <Panel title={t('result.all_metrics')} note={t('result.all_metrics_note')}>
      <div className={classes.groups}>
        {byGroup(words.definitions, values).map(([group, metrics]) => (
          <section key={group}>
            <h3>{t(`metric_group.${group}`)}</h3>
            <Facts
              rows={metrics.map(({ name }) => [
                <Tooltip key={name} label={words.hint(name)}>
                  <span className="help">{words.label(name)}</span>
                </Tooltip>,
                <MetricValue key={name} words={words} name={name} values={values} reasons={reasons} />,
              ])}
            />
          </section>
        ))}
      </div>
    </Panel>
  );
}
