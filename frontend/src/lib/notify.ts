import { type NotificationData, notifications } from '@mantine/notifications';
import i18next, { type TFunction } from 'i18next';
import type { ApiProblem } from '@/api';

const SHORT_MS = 4000;
const LONG_MS = 10_000;

/** Its id, by which it can be hidden. */
export const show = (notice: NotificationData): string =>
  notifications.show({ closeButtonProps: { 'aria-label': i18next.t('common.close') }, ...notice });

export const notify = (message: string) => show({ message, autoClose: SHORT_MS });

/** An action that the server refused, or that did not reach it. */
export function notifyProblem(t: TFunction, problem: ApiProblem) {
  const known = problem.status === 0 || problem.status === 429 || problem.status >= 500;
  show({
    color: 'red',
    autoClose: LONG_MS,
    title: known ? t(titleOf(problem)) : t('problem.refused_title'),
    message: [problem.detail, problem.requestId && `${problem.code} · ${problem.requestId}`]
      .filter(Boolean)
      .join(' — '),
  });
}

function titleOf({ status }: ApiProblem) {
  if (status === 0) return 'problem.unreachable_title';
  if (status === 429) return 'problem.busy_title';
  return status === 503 || status === 507 ? 'problem.unavailable_title' : 'problem.server_title';
}
