import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { BacktestConfig } from '@/api';
import { CopyText } from '@/components/CopyText';
import { Panel } from '@/components/Panel';
import { toYaml, withUsed } from '@/lib/yaml';
import classes from './run.module.css';

interface ConfigurationProps {
  config: BacktestConfig;
  /** What was taken for what the configuration leaves open, by its name. */
  used?: Readonly<Record<string, string | undefined>>;
}

/** The whole configuration as the file that `backproof run` takes. */
export function Configuration({ config, used }: ConfigurationProps) {
  const { t } = useTranslation();
  const yaml = useMemo(
    () => withUsed(toYaml(config as unknown as Parameters<typeof toYaml>[0]), used),
    [config, used],
  );
  return (
    <Panel title={t('proof.config_title')} note={t('proof.config_note')} actions={<CopyText value={yaml} />}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scroll area must be reachable by keyboard */}
      <pre className={classes.code} tabIndex={0}>
        {yaml}
      </pre>
    </Panel>
  );
}
