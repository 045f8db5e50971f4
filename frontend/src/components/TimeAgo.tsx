import { Tooltip } from '@mantine/core';
import { useFormat } from '@/lib/use-format';
import { useNow } from '@/lib/use-now';

/** "2 min ago", with the whole time on hover. */
export function TimeAgo({ at }: { at: string }) {
  const f = useFormat();
  const now = useNow();
  return (
    <Tooltip label={f.dateTime(at)}>
      <time dateTime={at} className="num">
        {f.ago(at, now)}
      </time>
    </Tooltip>
  );
}
