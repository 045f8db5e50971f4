import live from './live.json';
import notice from './notice.json';
import result from './result.json';

/** Of a run's page, live and afterwards. */
export default { ...live, ...notice, ...result };
