import type { Notice as ServerNotice } from '@/api';
import { Notice } from '@/components/Notice';
import classes from '../run.module.css';
import { useNoticeWords } from './use-notice-words';
import { bySeriousness, toneOfNotice } from './words';

/** What the server says a reader must know, in a row of its own. */
export function ServerNotices({ notices }: { notices: readonly ServerNotice[] }) {
  if (notices.length === 0) return null;
  return (
    <div className={classes.notices}>
      <NoticeItems notices={notices} />
    </div>
  );
}

export function NoticeItems({ notices }: { notices: readonly ServerNotice[] }) {
  const words = useNoticeWords();
  return bySeriousness(notices).map((notice) => {
    const { title, body } = words(notice);
    return (
      <Notice key={notice.code + notice.message} tone={toneOfNotice(notice.code)} title={title}>
        {body}
      </Notice>
    );
  });
}
