import { expect, it } from 'vitest';
import base from './en';
import creation from './en/new';
import run from './en/run';
import runs from './en/runs';

const sources = import.meta.glob<string>(['/src/**/*.tsx', '/src/**/*.ts', '!/src/**/*.test.*'], {
  query: '?raw',
  import: 'default',
  eager: true,
});
/** Components that only a run's page shows. */
const OF_RUNS = /^\/src\/(features\/run\/|components\/(charts\/|StageStepper))/;
const OF_NEW = /^\/src\/features\/new-backtest\//;
const OF_LIST = /^\/src\/features\/runs\//;

it.each(Object.entries(sources))('%s uses only words that are there with it', (path, text) => {
  const has = {
    ...base,
    ...(OF_RUNS.test(path) ? run : {}),
    ...(OF_NEW.test(path) ? creation : {}),
    ...(OF_LIST.test(path) ? runs : {}),
  };
  const used = [...text.matchAll(/\bt\(\s*['`]([a-z_]+)\./g)].map((match) => match[1] as string);
  expect(used.filter((section) => !(section in has))).toEqual([]);
});

it('what is said of a result can be said before it, too', () => {
  expect(creation.notice).toEqual(run.notice);
});
