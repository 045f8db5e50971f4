import { useQuery } from '@tanstack/react-query';
import { api, body } from './client';
import { keys } from './keys';
import { ApiProblem } from './problem';
import type { Queue, Ready, Workers } from './types';

/** Health; 503 is an answer here, not an error. */
export const useReady = () =>
  useQuery({
    queryKey: keys.system('ready'),
    queryFn: async ({ signal }): Promise<Ready> => {
      const { data, error, response } = await api.GET('/health/ready', { signal });
      const answer = data ?? (error as Ready | undefined);
      if (answer && 'live_updates' in answer) return answer;
      throw ApiProblem.from(response, error);
    },
    refetchInterval: 5000,
  });

export const useQueue = () =>
  useQuery({
    queryKey: keys.system('queue'),
    queryFn: ({ signal }) => body<Queue>(api.GET('/api/v1/system/queue', { signal })),
    refetchInterval: 2000,
  });

/** Workers, and what this owner's runs they hold; `workers` is null when nobody knows. */
export const useWorkers = () =>
  useQuery({
    queryKey: keys.system('workers'),
    queryFn: ({ signal }) => body<Workers>(api.GET('/api/v1/system/workers', { signal })),
    refetchInterval: 2000,
  });

export const useVersion = () =>
  useQuery({
    queryKey: keys.system('version'),
    queryFn: ({ signal }) => body(api.GET('/api/v1/system/version', { signal })),
    staleTime: 60_000,
  });

export const useLimits = () =>
  useQuery({
    queryKey: keys.system('limits'),
    queryFn: async ({ signal }) => (await body(api.GET('/api/v1/system/limits', { signal }))).items,
    staleTime: 300_000,
  });

/** Runs that ended in each of the last 24 hours. */
export const useActivity = () =>
  useQuery({
    queryKey: keys.system('activity'),
    queryFn: async ({ signal }) => (await body(api.GET('/api/v1/system/activity', { signal }))).items,
    refetchInterval: 60_000,
  });
