import { SegmentedControl, Select, useMantineColorScheme } from '@mantine/core';
import { useId } from 'react';
import { useTranslation } from 'react-i18next';
import { LANGUAGES, type Language, setLanguage } from '@/i18n';
import { LANGUAGE_NAMES } from './language-names';
import { PALETTES, type Palette, setPalette, usePalette } from './preferences';
import classes from './SettingsMenu.module.css';

const THEMES = ['light', 'dark', 'auto'] as const;

/** Language, theme and gain/loss colours; loaded when the menu is first opened. */
export default function SettingsPanel() {
  const { t, i18n } = useTranslation();
  const language = i18n.language as Language;
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const palette = usePalette();
  const themeLabel = useId();
  const languageLabel = useId();
  return (
    <div className={classes.panel}>
      <div>
        <h3 id={languageLabel}>{t('app.language')}</h3>
        <SegmentedControl
          fullWidth
          aria-labelledby={languageLabel}
          value={language}
          onChange={(value) => void setLanguage(value as Language)}
          data={LANGUAGES.map((value) => ({ value, label: LANGUAGE_NAMES[value] }))}
        />
      </div>
      <div>
        <h3 id={themeLabel}>{t('app.theme')}</h3>
        <SegmentedControl
          fullWidth
          aria-labelledby={themeLabel}
          value={colorScheme}
          onChange={(value) => setColorScheme(value as (typeof THEMES)[number])}
          data={THEMES.map((value) => ({ value, label: t(`app.theme_${value}`) }))}
        />
      </div>
      <Select
        label={t('app.palette')}
        description={t('app.palette_safe_hint')}
        inputWrapperOrder={['label', 'input', 'description']}
        value={palette}
        onChange={(value) => setPalette(value as Palette, language)}
        data={PALETTES.map((value) => ({ value, label: t(`app.palette_${value}`) }))}
        comboboxProps={{ withinPortal: false }}
      />
      <div className="row num strong">
        <span className="gain">▲ +12.4%</span>
        <span className="loss">▼ −8.1%</span>
      </div>
    </div>
  );
}
