import type { ParseKeys } from 'i18next';
import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';

/** Why shares were bought or sold, as the server names it (`stop_loss`, `signal`). */
export function useReasons(): (reason: string) => string {
  const { t, i18n } = useTranslation();
  return useCallback(
    (reason) => {
      const key = `trade_reason.${reason}`;
      return i18n.exists(key) ? t(key as ParseKeys as 'trade_reason.signal') : reason.replaceAll('_', ' ');
    },
    [t, i18n],
  );
}
