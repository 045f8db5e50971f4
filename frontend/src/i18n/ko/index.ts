import dashboard from './dashboard.json';
import runs from './runs.json';
import shell from './shell.json';
import system from './system.json';
import words from './words.json';

/** What every page needs. One file per page, so that each can be worked on alone. */
export default {
  ...shell,
  ...words,
  ...dashboard,
  ...runs,
  ...system,
};
