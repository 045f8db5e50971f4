import { useTranslation } from 'react-i18next';
import type { Notice as ServerNotice } from '@/api';
import { useNames } from '@/lib/names';
import { noticeValues } from './words';

/** By its code; the server's own sentence where the dictionary has none. */
export function useNoticeWords() {
  const { t, i18n } = useTranslation();
  const names = useNames();
  const say = t as (key: string, values: object) => string;
  return (notice: ServerNotice): { title: string; body?: string } => {
    const { code, message, details } = notice;
    const values = noticeValues(notice);
    if (code === 'data_note' && values.symbol !== '') {
      const note = message.slice(message.indexOf(': ') + 2);
      return { title: `${values.symbol}:`, body: names.said(note).replace(/[^.]$/, '$&.') };
    }
    if (code === 'gaps') {
      const parts = [
        details.missing && Number(values.count) > 0 && say('notice.gaps.missing', values),
        Number(values.gaps) > 0 && say('notice.gaps.long', values),
      ];
      return { title: say('notice.gaps.title', values), body: parts.filter(Boolean).join(' ') };
    }
    const key = `notice.${code === 'few_trades' && values.count === 0 ? 'no_trades' : code}`;
    if (!i18n.exists(`${key}.title`, values)) return { title: message };
    const body = i18n.exists(`${key}.body`, values) ? say(`${key}.body`, values) : undefined;
    return { title: say(`${key}.title`, values), body };
  };
}
