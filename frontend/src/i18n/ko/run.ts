import live from './live.json';
import notice from './notice.json';
import result from './result.json';
import server from './server.json';

/** Of a run's page, live and afterwards; what the server says in English, for this language only. */
export default { ...live, ...notice, ...result, ...(server as object) };
