import { Button, Modal } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { useCancelBacktest } from '@/api';
import { notifyProblem } from '@/lib/notify';

interface StopDialogProps {
  id: string;
  opened: boolean;
  /** It has not begun: there is nothing to keep. */
  waits: boolean;
  onClose: () => void;
}

export function StopDialog({ id, opened, waits, onClose }: StopDialogProps) {
  const { t } = useTranslation();
  const cancel = useCancelBacktest();
  return (
    <Modal opened={opened} onClose={onClose} title={t('live.stop_title')} size="sm" centered>
      <p className="soft">{t(waits ? 'live.stop_waiting' : 'live.stop_body')}</p>
      <div className="row" style={{ marginTop: 16, justifyContent: 'flex-end' }}>
        <Button variant="default" onClick={onClose} data-autofocus>
          {t(waits ? 'live.stop_no_waiting' : 'live.stop_no')}
        </Button>
        <Button
          variant="danger"
          loading={cancel.isPending}
          onClick={() =>
            cancel.mutate(id, { onSettled: onClose, onError: (problem) => notifyProblem(t, problem) })
          }
        >
          {t(waits ? 'live.stop_yes_waiting' : 'live.stop_yes')}
        </Button>
      </div>
    </Modal>
  );
}
