import { useTranslation } from 'react-i18next';
import { useVersion } from '@/api';
import { CopyText } from '@/components/CopyText';
import { Facts } from '@/components/Facts';
import { Panel } from '@/components/Panel';

export function VersionsPanel() {
  const { t } = useTranslation();
  const version = useVersion().data;
  if (!version) return null;
  const rows: [string, string][] = [
    ['backproof', version.version],
    ['API', version.api_version],
    [t('system.semantics'), String(version.engine_semantics)],
    ['Python', version.python],
    ...Object.entries(version.libraries),
  ];
  return (
    <Panel
      title={t('system.versions')}
      actions={<CopyText value={rows.map((row) => row.join(' ')).join('\n')} />}
    >
      <Facts rows={rows} />
      <p className="tiny dim" style={{ marginTop: 10 }}>
        {t('system.charts_notice')}{' '}
        <a className="link" href="/licenses.md" target="_blank" rel="noreferrer">
          {t('system.licenses')}
        </a>
      </p>
    </Panel>
  );
}
