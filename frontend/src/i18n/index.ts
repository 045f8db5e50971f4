import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { codeOf } from '@/lib/page-code';

type English = typeof import('./en').default &
  typeof import('./en/new').default &
  typeof import('./en/run').default &
  typeof import('./en/runs').default;
type Korean = typeof import('./ko').default &
  typeof import('./ko/new').default &
  typeof import('./ko/run').default &
  typeof import('./ko/runs').default;
/** Both directions: a key missing in either language is a compile error. */
type SameKeys = [English, Korean] extends [Korean, English] ? English : never;

export const LANGUAGES = ['en', 'ko'] as const;
export type Language = (typeof LANGUAGES)[number];
/** What every page needs, and what a page brings with it. */
export type Part = 'base' | 'new' | 'run' | 'runs';

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'translation';
    resources: { translation: SameKeys };
  }
}

const STORAGE_KEY = 'backproof.language';

/** Only the words of the language that is spoken and of the pages that were opened are fetched. */
const load: Record<Language, Record<Part, () => Promise<{ default: object }>>> = {
  en: {
    base: () => import('./en'),
    new: () => import('./en/new'),
    run: () => import('./en/run'),
    runs: () => import('./en/runs'),
  },
  ko: {
    base: () => import('./ko'),
    new: () => import('./ko/new'),
    run: () => import('./ko/run'),
    runs: () => import('./ko/runs'),
  },
};
const opened = new Set<Part>(['base']);

function initialLanguage(): Language {
  const stored = localStorage.getItem(STORAGE_KEY);
  if (stored === 'en' || stored === 'ko') return stored;
  return navigator.language.startsWith('ko') ? 'ko' : 'en';
}

async function fetchWords(language: Language, parts: Iterable<Part>) {
  const found = await Promise.all([...parts].map((part) => load[language][part]()));
  for (const words of found) i18next.addResourceBundle(language, 'translation', words.default, true, true);
}

/** A page's code together with its words, for `lazyRouteComponent`. */
export const withWords =
  <T>(part: Part, page: () => Promise<T>) =>
  async (): Promise<T> => {
    opened.add(part);
    const words = fetchWords(i18next.language as Language, [part]);
    const [code] = await codeOf(Promise.all([page(), words]));
    return code;
  };

export async function setLanguage(language: Language) {
  await fetchWords(language, opened);
  localStorage.setItem(STORAGE_KEY, language);
  document.documentElement.lang = language;
  await i18next.changeLanguage(language);
}

export async function startI18n() {
  const language = initialLanguage();
  document.documentElement.lang = language;
  await i18next.use(initReactI18next).init({
    lng: language,
    resources: { [language]: { translation: (await load[language].base()).default } },
    interpolation: { escapeValue: false },
  });
}
