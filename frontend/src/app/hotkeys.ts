import { useHotkeys } from '@mantine/hooks';
import { useNavigate } from '@tanstack/react-router';
import { isPaletteOpen, openPalette } from './palette-store';

/** Single keys work anywhere but in a field; Ctrl/Cmd K works everywhere. */
export function useGlobalHotkeys() {
  const navigate = useNavigate();
  // What is typed while the palette is on its way is meant for it.
  const unlessPalette = (go: () => void) => () => {
    if (!isPaletteOpen()) go();
  };
  useHotkeys([['mod+K', openPalette]], []);
  useHotkeys([
    ['n', unlessPalette(() => void navigate({ to: '/runs/new' }))],
    ['r', unlessPalette(() => void navigate({ to: '/runs' }))],
    ['d', unlessPalette(() => void navigate({ to: '/' }))],
  ]);
}
