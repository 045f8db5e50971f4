import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';

const useRunSearch = () => useSearch({ from: '/runs/$id' });
export type View = ReturnType<typeof useRunSearch>;

/** What of a result is shown, which is in the address, so that a link shows what its sender saw. */
export function useView(id: string): [View, (part: Partial<View>) => void] {
  const navigate = useNavigate({ from: '/runs/$id' });
  const search = useRunSearch();
  const set = useCallback(
    (part: Partial<View>) =>
      void navigate({
        to: '/runs/$id',
        params: { id },
        search: (old) => ({ ...old, ...part }),
        replace: true,
        resetScroll: false,
      }),
    [navigate, id],
  );
  return [search, set];
}
