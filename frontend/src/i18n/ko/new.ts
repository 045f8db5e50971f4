import creation from './new.json';
import notice from './notice.json';
import server from './server.json';

/** Of the page that makes a backtest. */
export default {
  ...creation,
  ...notice,
  // What the server says in English: only this language needs it, so the types do not know it.
  ...(server as object),
};
