import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { useLogs } from '@/api';
import { PartError } from '@/components/PartError';
import { PageSkeleton } from '@/components/States';
import { LogPanel } from './LogPanel';

interface SavedLogProps {
  id: string;
  height: number;
  atEnd?: boolean;
}

/** The log of a run that has ended, with the same tools as the live one. All pages are read. */
export function SavedLog({ id, height, atEnd }: SavedLogProps) {
  const { t } = useTranslation();
  const query = useLogs(id);
  const { hasNextPage, isFetching, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  if (query.isError && !query.data) {
    return <PartError error={query.error} onRetry={() => void query.refetch()} />;
  }
  if (!query.data || (atEnd && hasNextPage)) return <PageSkeleton heights={[height]} />;
  return <LogPanel lines={query.data} height={height} atEnd={atEnd} empty={t('log.said_nothing')} />;
}
