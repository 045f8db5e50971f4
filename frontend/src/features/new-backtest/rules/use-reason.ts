import { useTranslation } from 'react-i18next';
import type { RuleError } from '../model/rules';

/** Why a rule is wrong, without its place: by its code (`rule_error`, Korean only), else the server's own sentence. */
export function useReason(): (error: RuleError, token: string) => string {
  const { t, i18n } = useTranslation();
  return (error, token) => {
    const key = `rule_error.${error.code}`;
    if (i18n.exists(key)) return (t as (key: string, values: object) => string)(key, { token });
    return `${error.reason.charAt(0).toUpperCase()}${error.reason.slice(1)}.`;
  };
}
