import { Tooltip } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { STAGE_SPAN, STAGES, type Stage } from '@/api';
import { useFormat } from '@/lib/use-format';
import { Icon } from './icons';
import classes from './StageStepper.module.css';

interface StageStepperProps {
  /** The one that is worked on; `null` while nobody works. */
  stage: Stage | null;
  /** Of the whole, 0 to 100. */
  percent: number;
  bars: { done: number; total: number; checkpoint: number | null };
  /** How long each stage took or has taken, where that is known. */
  seconds: Readonly<Partial<Record<Stage, number>>>;
}

/** The progress bar is the stepper: four segments, each with what is done of it. */
export function StageStepper({ stage, percent, bars, seconds }: StageStepperProps) {
  const { t } = useTranslation();
  const f = useFormat();
  const current = stage === null ? -1 : STAGES.indexOf(stage);
  const counter = (name: Stage, part: number) => {
    if (name === 'simulate' && bars.total > 0)
      return t('live.sub_bars', { n: f.integer(bars.done), total: f.integer(bars.total) });
    return f.percent(part, { digits: 0 });
  };
  return (
    <ol className={classes.stepper}>
      {STAGES.map((name, index) => {
        const [low, high] = STAGE_SPAN[name];
        const part = Math.min(1, Math.max(0, (percent - low) / (high - low)));
        const state = part >= 1 || index < current ? 'done' : index === current ? 'current' : 'waiting';
        const spent = seconds[name];
        const saved = name === 'simulate' && bars.total > 0 ? bars.checkpoint : null;
        return (
          <li
            key={name}
            className={classes.step}
            data-state={state}
            aria-current={state === 'current' ? 'step' : undefined}
          >
            <div className={classes.track}>
              <i style={{ width: `${(state === 'done' ? 1 : part) * 100}%` }} />
              {saved !== null && (
                <Tooltip label={t('live.checkpoint_at', { n: f.integer(saved) })}>
                  <b style={{ left: `${(saved / bars.total) * 100}%` }} />
                </Tooltip>
              )}
            </div>
            <div className="row spread">
              <span className="row" style={{ gap: 6 }}>
                {state === 'done' ? (
                  <Icon name="check" size={14} />
                ) : (
                  <span className={classes.index}>{index + 1}</span>
                )}
                <span className="strong">{t(`stage.${name}`)}</span>
              </span>
              <span className="num tiny dim">{spent === undefined ? '' : f.duration(spent)}</span>
            </div>
            <div className={`${classes.counter} num`}>
              {state === 'waiting'
                ? t('live.waiting')
                : state === 'done' && name !== 'simulate'
                  ? t('live.stage_done')
                  : counter(name, part)}
            </div>
          </li>
        );
      })}
    </ol>
  );
}
