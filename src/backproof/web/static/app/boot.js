// Before the first paint: language, colour scheme and gain/loss palette, so that nothing flashes.
(() => {
  const root = document.documentElement;
  const read = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const scheme = read('mantine-color-scheme-value') ?? 'auto';
  const dark = scheme === 'dark' || (scheme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  root.dataset.mantineColorScheme = dark ? 'dark' : 'light';
  root.dataset.palette = read('backproof.palette-resolved') ?? 'western';
  root.lang = read('backproof.language') ?? (navigator.language.startsWith('ko') ? 'ko' : 'en');
})();
