import { useTranslation } from 'react-i18next';
import { type Schema, useLimits } from '@/api';
import { Panel } from '@/components/Panel';
import type { Formatter } from '@/lib/format';
import { useFormat } from '@/lib/use-format';
import classes from './system.module.css';

const UNIT_SECONDS = { seconds: 1, hours: 3600, days: 86_400 } as const;

/** What is not set follows from another setting, or from the machine. */
const UNSET = { MAX_BACKTEST_MEMORY_MB: 'system.share' } as const;

export function LimitsPanel() {
  const { t } = useTranslation();
  const f = useFormat();
  const limits = useLimits().data;
  if (!limits) return null;
  return (
    <Panel title={t('system.limits')} note={t('system.limits_note')}>
      <div className={classes.limits}>
        {limits.map(({ setting, value, unit }) => (
          <div key={setting} className={classes.limit}>
            <div className="truncate">
              {t(`limit.${setting as 'MAX_BACKTEST_DURATION'}`, { defaultValue: setting })}
              <div className={`${classes.setting} mono dim truncate`}>{setting}</div>
            </div>
            <span className={value === null ? 'small dim right' : 'num strong'}>
              {value === null
                ? t(UNSET[setting as keyof typeof UNSET] ?? 'system.no_limit')
                : written(f, value, unit)}
            </span>
          </div>
        ))}
      </div>
    </Panel>
  );
}

function written(f: Formatter, value: number, unit: Schema<'LimitOut'>['unit']): string {
  if (unit in UNIT_SECONDS) return f.duration(value * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS]);
  if (unit === 'bytes') return f.bytes(value);
  return unit === 'megabytes' ? f.bytes(value * 1e6) : f.integer(value);
}
