import { useTranslation } from 'react-i18next';
import type { Strategy } from '@/api';
import { Tag } from '@/components/Tag';
import { useNames } from '@/lib/names';
import classes from '../new-backtest.module.css';
import { KindName } from './StrategyPicker';

/** What the chosen strategy does exactly, who described it first, and where its code comes from. */
export function StrategyFacts({ strategy }: { strategy: Strategy }) {
  const { t } = useTranslation();
  const names = useNames();
  return (
    <div className={classes.facts}>
      <div className="row wrap" style={{ rowGap: 2 }}>
        <b>{names.strategy(strategy.name)}</b>
        <Tag>
          <KindName kind={strategy.kind} />
        </Tag>
        {strategy.form && <Tag>{t(`new.form_${strategy.form}`)}</Tag>}
        {strategy.long_only && <Tag>{t('new.long_only')}</Tag>}
        {strategy.plugin && (
          <Tag>
            {strategy.plugin.distribution} {strategy.plugin.version}
          </Tag>
        )}
      </div>
      {strategy.rule && (
        <details className={classes.exact}>
          <summary className="tiny">{t('new.exact_rule')}</summary>
          <p className="mono soft" lang="en">
            {strategy.rule}
          </p>
        </details>
      )}
      {strategy.source && (
        <p className="tiny dim">
          {t('new.source')} <span lang="en">{strategy.source}</span>
        </p>
      )}
    </div>
  );
}
