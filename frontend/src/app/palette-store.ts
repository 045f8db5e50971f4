import { useSyncExternalStore } from 'react';

/** Open state of the command palette, apart from its code, which loads on first use. */
let open = false;
const listeners = new Set<() => void>();

function set(next: boolean) {
  open = next;
  for (const listener of listeners) listener();
}

export const isPaletteOpen = () => open;
export const openPalette = () => set(true);
export const closePalette = () => set(false);

export const usePaletteOpen = () =>
  useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, isPaletteOpen);
