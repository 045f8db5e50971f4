import { type RefObject, useEffect, useState } from 'react';

export interface Scrolled {
  scrollLeft: number;
  scrollWidth: number;
  clientWidth: number;
}

/** Whether there is more to the right; a fraction of a pixel is none. */
export const hasMore = ({ scrollLeft, scrollWidth, clientWidth }: Scrolled): boolean =>
  scrollWidth - clientWidth - scrollLeft > 1;

/** Whether what a frame holds goes on to the right of what is in sight. */
export function useMoreBeside(frame: RefObject<HTMLElement | null>): boolean {
  const [more, setMore] = useState(false);
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const look = () => setMore(hasMore(element));
    look();
    element.addEventListener('scroll', look, { passive: true });
    const watch = new ResizeObserver(look);
    watch.observe(element);
    if (element.firstElementChild) watch.observe(element.firstElementChild);
    return () => {
      element.removeEventListener('scroll', look);
      watch.disconnect();
    };
  }, [frame]);
  return more;
}
