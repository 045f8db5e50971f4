import live from './live.json';
import result from './result.json';

/** Of a run's page, live and afterwards. */
export default { ...live, ...result };
