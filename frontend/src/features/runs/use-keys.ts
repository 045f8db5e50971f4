import { useEffect, useRef } from 'react';

export interface ListKeys {
  move: (step: number) => void;
  select: () => void;
  open: () => void;
  star: () => void;
  details: () => void;
  search: () => void;
  help: () => void;
  clear: () => void;
}

const EDITED = 'input, textarea, select, [contenteditable="true"], [role="textbox"]';
const PRESSED = 'a, button, [role="menuitem"], [role="option"]';
const LETTERS: Record<string, keyof ListKeys> = {
  x: 'select',
  s: 'star',
  e: 'details',
  '/': 'search',
  '?': 'help',
};

/** With another script on the keyboard (ㅓ for j) the letter that is printed on the key counts. */
export function letterOf(event: Pick<KeyboardEvent, 'key' | 'code'>): string {
  const { key, code } = event;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: everything that is ASCII
  if (key.length > 1 || /^[\x00-\x7f]$/.test(key)) return key.length > 1 ? key : key.toLowerCase();
  if (code.startsWith('Key')) return code.slice(3).toLowerCase();
  return code === 'Slash' ? '/' : key;
}

/** Single keys of the list. They never fire inside a field, while a dialog or menu is open, or with a modifier. */
export function useListKeys(keys: ListKeys): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing)
        return;
      const target = event.target instanceof Element ? event.target : document.body;
      const checkbox = target instanceof HTMLInputElement && target.type === 'checkbox';
      if (target.closest(EDITED) && !checkbox) return;
      if (document.querySelector('[aria-modal="true"], [role="menu"], [data-list-popover]')) return;
      const act = latest.current;
      const letter = letterOf(event);
      if (letter === 'j' || letter === 'ArrowDown') {
        if (letter === 'ArrowDown' && !target.closest('[role="row"]')) return;
        act.move(1);
      } else if (letter === 'k' || letter === 'ArrowUp') {
        if (letter === 'ArrowUp' && !target.closest('[role="row"]')) return;
        act.move(-1);
      } else if (letter === 'Enter') {
        if (target.closest(PRESSED) || checkbox) return;
        act.open();
      } else if (letter === 'Escape') act.clear();
      else {
        const name = LETTERS[letter];
        if (!name) return;
        (act[name] as () => void)();
      }
      event.preventDefault();
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, []);
}
