import { Input } from '@mantine/core';
import { type KeyboardEvent, useId, useLayoutEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '@/components/icons';
import { useNames } from '@/lib/names';
import {
  type Completion,
  callAround,
  completed,
  corrected,
  type Offer,
  offer,
  pieces,
  placeOf,
  type RuleError,
} from '../model/rules';
import classes from '../new-backtest.module.css';
import { useReason } from './use-reason';

interface RuleTextProps {
  pointer: string;
  label: string;
  hint?: string;
  value: string;
  onChange: (value: string) => void;
  errors: readonly RuleError[];
  /** The server has read exactly this text and has nothing against it. */
  understood: boolean;
  words: readonly Completion[];
}

/** A rule with its mistakes underlined where they are, and the words of the language offered while it is written. */
export function RuleText({
  pointer,
  label,
  hint,
  value,
  onChange,
  errors,
  understood,
  words,
}: RuleTextProps) {
  const { t } = useTranslation();
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const next = useRef<number | null>(null);
  const [cursor, setCursor] = useState(0);
  const [offered, setOffered] = useState<Offer | null>(null);
  const [active, setActive] = useState(0);
  // after a word was put in, the cursor belongs inside its parentheses
  useLayoutEffect(() => {
    if (next.current === null) return;
    area.current?.setSelectionRange(next.current, next.current);
    setCursor(next.current);
    next.current = null;
  });

  const look = (text: string, at: number, all = false) => {
    setCursor(at);
    setActive(0);
    setOffered(offer(text, at, words, all));
  };
  const take = (word: Completion) => {
    if (!offered || !area.current) return;
    const done = completed(value, area.current.selectionStart, offered.from, word);
    next.current = done.cursor;
    setOffered(null);
    onChange(done.text);
    area.current.focus();
  };
  const keys = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === ' ' && event.ctrlKey) {
      event.preventDefault();
      look(value, event.currentTarget.selectionStart, true);
    }
    if (!offered) return;
    const count = offered.words.length;
    const word = offered.words[active];
    if (event.key === 'ArrowDown') setActive((active + 1) % count);
    else if (event.key === 'ArrowUp') setActive((active - 1 + count) % count);
    else if (event.key === 'Escape') setOffered(null);
    else if ((event.key === 'Enter' || event.key === 'Tab') && word && !event.ctrlKey && !event.metaKey)
      take(word);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const places = errors.flatMap((error) => {
    const place = placeOf(value, error);
    return place ? [place] : [];
  });
  const listId = `${id}-words`;
  return (
    <Input.Wrapper
      size="xs"
      label={label}
      labelProps={{ htmlFor: id }}
      description={hint}
      inputWrapperOrder={['label', 'input', 'description']}
      data-pointer={pointer}
      className={classes.ruleField}
    >
      <div className={classes.rule} data-wrong={errors.length > 0 || undefined}>
        <pre className={classes.ruleMarks} aria-hidden="true">
          {pieces(value, places).map((piece, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: pieces have no identity but their place
            <span key={index} data-wrong={piece.wrong || undefined}>
              {piece.text}
            </span>
          ))}{' '}
        </pre>
        <textarea
          ref={area}
          id={id}
          className={classes.ruleInput}
          value={value}
          rows={1}
          spellCheck={false}
          autoCapitalize="off"
          autoCorrect="off"
          aria-autocomplete="list"
          aria-controls={offered ? listId : undefined}
          aria-activedescendant={offered ? `${listId}-${active}` : undefined}
          aria-invalid={errors.length > 0}
          aria-describedby={`${id}-state`}
          onChange={(event) => {
            onChange(event.currentTarget.value);
            look(event.currentTarget.value, event.currentTarget.selectionStart);
          }}
          onKeyDown={keys}
          onSelect={(event) => setCursor(event.currentTarget.selectionStart)}
          onBlur={() => setOffered(null)}
        />
        {offered && <Words id={listId} offer={offered} active={active} onTake={take} />}
      </div>
      <div id={`${id}-state`} aria-live="polite" className={classes.ruleState}>
        {errors.map((error) => (
          <Mistake
            key={`${error.code}${error.line}${error.column}`}
            text={value}
            error={error}
            onCorrect={() => onChange(corrected(value, error))}
          />
        ))}
        {understood && (
          <span className="row tiny dim" style={{ gap: 4 }}>
            <Icon name="check" size={12} /> {t('new.rules_ok')}
          </span>
        )}
        <Signature text={value} cursor={cursor} words={words} />
      </div>
    </Input.Wrapper>
  );
}

function Words({
  id,
  offer: { words },
  active,
  onTake,
}: {
  id: string;
  offer: Offer;
  active: number;
  onTake: (word: Completion) => void;
}) {
  const { t } = useTranslation();
  const names = useNames();
  return (
    <div id={id} role="listbox" aria-label={t('new.rules_words')} className={classes.words_}>
      {words.map((word, index) => (
        // biome-ignore lint/a11y/useFocusableInteractive: the text field has the focus, and names the active word
        // biome-ignore lint/a11y/useKeyWithClickEvents: its keys are the text field's
        <div
          key={word.name}
          id={`${id}-${index}`}
          ref={(element) => {
            if (index === active) element?.scrollIntoView({ block: 'nearest' });
          }}
          role="option"
          aria-selected={index === active}
          className={classes.word}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => onTake(word)}
        >
          <code>{word.signature}</code>
          <span className="tiny dim truncate">{names.said(word.description)}</span>
        </div>
      ))}
    </div>
  );
}

function Mistake({ text, error, onCorrect }: { text: string; error: RuleError; onCorrect: () => void }) {
  const { t } = useTranslation();
  const reason = useReason();
  const place = placeOf(text, error);
  const where =
    error.line === null || error.column === null
      ? ''
      : text.includes('\n')
        ? t('new.rules_line', { line: error.line, col: error.column })
        : t('new.rules_column', { col: error.column });
  return (
    <p className={classes.error}>
      {where} {reason(error, place ? text.slice(...place) : '')}{' '}
      {error.suggestion !== null && place && (
        <button type="button" className={classes.reset} onClick={onCorrect}>
          {t('new.rules_use', { word: error.suggestion })}
        </button>
      )}
    </p>
  );
}

/** What the call that the cursor is in expects. */
function Signature({ text, cursor, words }: { text: string; cursor: number; words: readonly Completion[] }) {
  const names = useNames();
  const inside = callAround(text, cursor);
  const word = inside && words.find((one) => one.name === inside.name && one.kind === 'function');
  const parameter = word?.parameters[Math.min(inside?.argument ?? 0, word.parameters.length - 1)];
  if (!word || !parameter) return null;
  return (
    <p className={`${classes.signature} tiny dim`}>
      <code>{word.signature}</code> {names.said(word.description)}. <b>{parameter.name}</b>:{' '}
      {names.said(parameter.description)}
    </p>
  );
}
