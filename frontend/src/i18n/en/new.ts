import creation from './new.json';

/** Of the page that makes a backtest. */
export default { ...creation };
