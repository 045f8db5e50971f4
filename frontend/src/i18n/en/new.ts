import creation from './new.json';
import notice from './notice.json';

/** Of the page that makes a backtest. */
export default { ...creation, ...notice };
