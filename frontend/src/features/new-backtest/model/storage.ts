/** The draft of a tab: it survives a reload and a look at another page, not the tab. */
import { type Draft, NEW_DRAFT } from './draft';

const KEY = 'backproof.draft.1';
const keyOf = (from: string | undefined): string => (from ? `${KEY}:${from}` : KEY);

export function storedDraft(from?: string): Draft | null {
  try {
    return read(JSON.parse(sessionStorage.getItem(keyOf(from)) ?? 'null'));
  } catch {
    return null; // not ours, or no storage: a new form
  }
}

export function storeDraft(draft: Draft | null, from?: string): void {
  try {
    if (draft) sessionStorage.setItem(keyOf(from), JSON.stringify(draft));
    else sessionStorage.removeItem(keyOf(from));
  } catch {
    // a full or forbidden storage loses nothing but this convenience
  }
}

const SECTIONS = ['execution', 'costs', 'risk'] as const;
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

/** A draft of another version of this page has the defaults where its shape is not the one of today. */
function read(found: unknown): Draft | null {
  if (!isRecord(found) || typeof found.strategy_type !== 'string') return null;
  if (!isTexts(found.symbols) || !isTexts(found.tags) || !isRecord(found.parameters)) return null;
  const kept: Record<string, unknown> = { ...NEW_DRAFT };
  for (const name of Object.keys(NEW_DRAFT)) if (name in found) kept[name] = found[name];
  for (const name of SECTIONS) {
    kept[name] = { ...NEW_DRAFT[name], ...(isRecord(found[name]) ? found[name] : {}) };
  }
  const execution = kept.execution as Draft['execution'];
  if (!isRecord(execution.sizing)) kept.execution = { ...execution, sizing: NEW_DRAFT.execution.sizing };
  return kept as unknown as Draft;
}
