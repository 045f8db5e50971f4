import { ActionIcon, Button, Menu, Popover } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { type Backtest, type ExportFormat, type ExportTable, exportUrl } from '@/api';
import { Icon } from '@/components/icons';
import classes from './run.module.css';
import { useRunActions } from './use-run-actions';

interface RunActionsProps {
  run: Backtest;
  /** Offered as the first thing to do: it ended on the way. */
  resumable?: boolean;
}

export function RunActions({ run, resumable }: RunActionsProps) {
  const { t } = useTranslation();
  const id = run.backtest_id;
  const actions = useRunActions(id);
  return (
    <>
      {resumable && (
        <Button
          leftSection={<Icon name="play" size={14} />}
          loading={actions.resuming}
          onClick={actions.resume}
        >
          {t('run.resume')}
        </Button>
      )}
      <Button
        variant="default"
        leftSection={<Icon name="repeat" size={14} />}
        loading={actions.rerunning}
        onClick={actions.rerun}
      >
        {t('run.rerun')}
      </Button>
      {run.result && <Downloads run={run} />}
      <Button
        variant={resumable ? 'default' : 'filled'}
        leftSection={<Icon name="edit" size={14} />}
        renderRoot={(props) => <Link to="/runs/new" search={{ from: id }} {...props} />}
      >
        {t('run.change')}
      </Button>
      <Menu>
        <Menu.Target>
          <ActionIcon variant="default" size={30} className={classes.more} aria-label={t('run.more')}>
            <Icon name="more" />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item
            leftSection={<Icon name="download" size={14} />}
            component="a"
            href={`/api/v1/backtests/${id}`}
            download={`${id}.json`}
          >
            {t('run.download_description')}
          </Menu.Item>
          <Menu.Item leftSection={<Icon name="trash" size={14} />} onClick={() => void actions.remove()}>
            {t('run.delete')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}

const FORMATS: readonly ExportFormat[] = ['csv', 'json', 'parquet'];
const FORMAT_NAMES: Record<ExportFormat, string> = { csv: 'CSV', json: 'JSON', parquet: 'Parquet' };

function Downloads({ run }: { run: Backtest }) {
  const { t } = useTranslation();
  const id = run.backtest_id;
  const tables: ExportTable[] = ['equity', 'trades', 'fills'];
  if (run.result?.events) tables.push('account-events');
  return (
    <Popover position="bottom-end">
      <Popover.Target>
        <Button variant="default" leftSection={<Icon name="download" size={14} />}>
          {t('run.download')}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <table className={classes.downloads}>
          <caption className="visually-hidden">{t('run.download')}</caption>
          <tbody>
            {tables.map((table) => (
              <tr key={table}>
                <th scope="row">{t(`run.table_${table === 'account-events' ? 'events' : table}`)}</th>
                {FORMATS.map((format) => (
                  <td key={format}>
                    <a className={classes.file} href={exportUrl(id, table, format)} download>
                      {FORMAT_NAMES[format]}
                    </a>
                  </td>
                ))}
              </tr>
            ))}
            <tr>
              <th scope="row">{t('run.table_metrics')}</th>
              <td />
              <td>
                <a
                  className={classes.file}
                  href={`/api/v1/backtests/${id}/metrics?full=true`}
                  download={`${id}-metrics.json`}
                >
                  JSON
                </a>
              </td>
            </tr>
          </tbody>
        </table>
      </Popover.Dropdown>
    </Popover>
  );
}
