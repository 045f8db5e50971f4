import { Fragment } from 'react';
import type { Sentence } from '../model/sentence';
import classes from '../new-backtest.module.css';

/** What will happen, in one paragraph. */
export function Words({ sentences }: { sentences: readonly Sentence[] }) {
  return (
    <p className={classes.words}>
      {sentences.map(({ key, strong, text, code }) => (
        <Fragment key={key}>
          {strong && <b>{strong}</b>}
          {code ? (
            <>
              {' '}
              <code className={classes.ruleWords}>{text}</code>
            </>
          ) : (
            text
          )}{' '}
        </Fragment>
      ))}
    </p>
  );
}
