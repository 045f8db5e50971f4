/** The only door to data. Components use the hooks and types from here and never fetch. */
export * from './backtests';
export { keys } from './keys';
export * from './live';
export * from './market-data';
export { ApiProblem, isUnreachable, UNREACHABLE } from './problem';
export { askWhetherItIsThere } from './query-client';
export { useReachable } from './reachable';
export * from './results';
export * from './strategies';
export * from './system';
export * from './types';
