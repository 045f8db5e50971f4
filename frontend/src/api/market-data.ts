import { useQuery } from '@tanstack/react-query';
import { api, body } from './client';
import { keys } from './keys';
import type { Bars, BarsQuery, Schema, SymbolInfo } from './types';

export const useSources = () =>
  useQuery({
    queryKey: keys.sources,
    queryFn: async ({ signal }) => (await body(api.GET('/api/v1/market-data/sources', { signal }))).items,
  });

/** Symbols of one source, or of all, with the range of their bars. */
export const useSymbols = (source?: string, timeframe: Schema<'SymbolOut'>['timeframe'] = '1d') =>
  useQuery({
    queryKey: keys.symbols(source, timeframe),
    queryFn: async ({ signal }): Promise<SymbolInfo[]> =>
      (
        await body(
          api.GET('/api/v1/market-data/symbols', {
            params: { query: { source, timeframe: timeframe as BarsQuery['timeframe'] } },
            signal,
          }),
        )
      ).items,
  });

export const useBars = (symbol: string, query: BarsQuery = {}, enabled = true) =>
  useQuery({
    enabled,
    queryKey: keys.bars(symbol, query),
    staleTime: 300_000,
    queryFn: ({ signal }) =>
      body<Bars>(
        api.GET('/api/v1/market-data/{symbol}/bars', { params: { path: { symbol }, query }, signal }),
      ),
  });
