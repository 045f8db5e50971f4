import { Button, SegmentedControl, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SubmitOptions, Validation } from '@/api';
import { CopyText } from '@/components/CopyText';
import { Icon } from '@/components/icons';
import { ChoiceField } from '../fields/ChoiceField';
import { useFieldError, useForm } from '../form';
import type { Priority } from '../model/draft';
import { asCurl, asYaml } from '../model/request';
import type { Sentence } from '../model/sentence';
import classes from '../new-backtest.module.css';
import { More } from '../sections/Section';
import { Estimate } from './Estimate';
import { Identical, Warnings } from './Warnings';
import { Words } from './Words';

type As = 'text' | 'yaml' | 'curl';
const MOST_TAGS = 50;
const LONGEST_NAME = 200;

interface SummaryPanelProps {
  sentences: readonly Sentence[];
  options: SubmitOptions;
  answer: Validation | undefined;
  suggestedName: string;
  pending: boolean;
  /** Nothing that is known keeps it from being accepted. */
  ready: boolean;
  onSubmit: (useCache: boolean) => void;
  /** What came of the last try, and what is known of the draft, beside the button. */
  state: React.ReactNode;
}

/** What will happen, in words, before it happens; and the button. */
export function SummaryPanel({
  sentences,
  options,
  answer,
  suggestedName,
  pending,
  ready,
  onSubmit,
  state,
}: SummaryPanelProps) {
  const { t } = useTranslation();
  const { draft, change, input } = useForm();
  const [as, setAs] = useState<As>('text');
  const code = as === 'yaml' ? asYaml(input) : asCurl(input, options, location.origin);
  return (
    <aside className={classes.summary} aria-label={t('new.summary')}>
      <div className={classes.summaryBody}>
        <div className={classes.block}>
          <div className="row spread" style={{ marginBottom: 10 }}>
            <h2>{t('new.summary')}</h2>
            <SegmentedControl
              aria-label={t('new.shown_as')}
              value={as}
              onChange={(value) => setAs(value as As)}
              data={(['text', 'yaml', 'curl'] as const).map((value) => ({
                value,
                label: t(`new.as_${value}`),
              }))}
            />
          </div>
          {as === 'text' ? (
            <Words sentences={sentences} />
          ) : (
            <div className={classes.codeBox}>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scroll area has to be reachable with the keyboard */}
              <section className={classes.code} tabIndex={0} aria-label={t(`new.as_${as}`)}>
                <pre>{code}</pre>
              </section>
              <span className={classes.copy}>
                <CopyText value={code} />
              </span>
            </div>
          )}
        </div>
        {answer?.valid && (
          <div className={classes.block}>
            <Estimate answer={answer} symbols={draft.symbols} />
          </div>
        )}
        {answer?.valid && (
          <div className={classes.warnings}>
            {answer.identical && <Identical id={answer.identical} onCompute={() => onSubmit(false)} />}
            <Warnings warnings={answer.warnings} />
          </div>
        )}
      </div>
      <div className={classes.block}>
        <NameField suggested={suggestedName} />
        <More label={t('new.tags_priority')} needed={draft.tags.length > 0 || draft.priority !== 'normal'}>
          <TagsField />
          <ChoiceField
            pointer="/priority"
            label={t('new.priority')}
            value={draft.priority}
            options={(['low', 'normal', 'high'] as const).map((value) => ({
              value,
              label: t(`new.priority_${value}`),
            }))}
            onChange={(priority) => change({ priority: priority as Priority })}
            hint={t('new.priority_hint')}
          />
        </More>
        <Button
          fullWidth
          size="sm"
          className={classes.submit}
          leftSection={<Icon name="play" size={14} />}
          loading={pending}
          aria-disabled={!ready || undefined}
          data-dimmed={!ready || undefined}
          onClick={() => onSubmit(true)}
        >
          {t('new.submit')}
        </Button>
        {state}
      </div>
    </aside>
  );
}

function NameField({ suggested }: { suggested: string }) {
  const { t } = useTranslation();
  const { draft, change } = useForm();
  return (
    <TextInput
      data-pointer="/name"
      label={t('new.s_name')}
      placeholder={suggested}
      maxLength={LONGEST_NAME}
      value={draft.name}
      error={useFieldError('/name')}
      onChange={(event) => change({ name: event.currentTarget.value })}
    />
  );
}

function TagsField() {
  const { t } = useTranslation();
  const { draft, change } = useForm();
  return (
    <TagsInput
      data-pointer="/tags"
      size="xs"
      label={t('new.tags')}
      placeholder={draft.tags.length ? undefined : t('new.tags_placeholder')}
      maxTags={MOST_TAGS}
      value={draft.tags}
      error={useFieldError('/tags')}
      onChange={(tags) => change({ tags: [...new Set(tags.map((tag) => tag.trim()).filter(Boolean))] })}
    />
  );
}
