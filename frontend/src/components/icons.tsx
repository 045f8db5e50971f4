/** 16 px line icons drawn for this product; decorative unless the parent names them. */
const PATHS = {
  dashboard: 'M2.5 2.5h4.5v6H2.5zM9 2.5h4.5V6H9zM9 8.5h4.5v5H9zM2.5 11H7v2.5H2.5z',
  runs: 'M2.5 4h11M2.5 8h11M2.5 12h7',
  compare: 'M2.5 12 6 6.5l3 3 4.5-6M2.5 5.5 6 10l3-2 4.5 3.5',
  system: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01',
  plus: 'M8 3v10M3 8h10',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM11 11l3 3',
  star: 'm8 2.2 1.8 3.7 4 .6-2.9 2.8.7 4L8 11.4l-3.6 1.9.7-4L2.200 6.500l4-.6z',
  play: 'M5 3.2v9.600L12.500 8z',
  stop: 'M4 4h8v8H4z',
  pause: 'M5.500 3.500v9M10.500 3.500v9',
  check: 'm3 8.500 3.200 3.200L13 4.800',
  alert: 'M8 2.500 14.200 13H1.800zM8 6.800v2.700M8 11.300h.01',
  info: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.300v3.700M8 5h.01',
  down: 'm4 6 4 4 4-4',
  right: 'm6 4 4 4-4 4',
  left: 'm10 4-4 4 4 4',
  close: 'm4 4 8 8M12 4l-8 8',
  download: 'M8 2.500v8M4.500 7.500 8 11l3.500-3.500M3 13.500h10',
  copy: 'M5.500 5.500h8v8h-8zM10.500 5.500v-3h-8v8h3',
  repeat: 'M13 6A5.300 5.300 0 0 0 3.500 5M3 2.500V5.500h3M3 10a5.300 5.300 0 0 0 9.500 1M13 13.500v-3h-3',
  sliders:
    'M2.500 5h6M12 5h1.500M2.500 11H4M7.500 11h6M10.200 6.800a1.800 1.800 0 1 0 0-3.600 1.800 1.800 0 0 0 0 3.600zM5.700 12.800a1.800 1.800 0 1 0 0-3.600 1.800 1.800 0 0 0 0 3.600z',
  tag: 'M2.500 2.500h5.300l5.700 5.700-5.300 5.300-5.700-5.700zM5.300 5.300h.01',
  trash: 'M3 4.500h10M6.500 4.500V2.800h3v1.700M4.300 4.500l.6 9h6.200l.6-9',
  edit: 'm10.500 3 2.500 2.500L5.800 12.700 2.800 13.200l.5-3z',
  note: 'M3.500 2.500h9v11h-9zM6 5.500h4M6 8h4M6 10.500h2',
  filter: 'M2.500 3.500h11l-4.300 5v4.300l-2.400-1.200V8.500z',
  more: 'M3.500 8h.01M8 8h.01M12.500 8h.01',
  sort_up: 'm4.500 9.500 3.500-3.500 3.500 3.500',
  sort_down: 'm4.500 6.500 3.500 3.500 3.500-3.500',
  shield:
    'M8 1.800 13.300 3.800v4c0 3.200-2.200 5.500-5.300 6.500-3.100-1-5.300-3.300-5.300-6.500v-4zM5.600 8l1.700 1.700 3.200-3.400',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16, fill = 'none' }: { name: IconName; size?: number; fill?: string }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill={fill}
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      style={{ flex: 'none' }}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

export function BrandMark({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" style={{ flex: 'none' }}>
      <rect width="24" height="24" rx="6" fill="var(--accent)" />
      <g fill="none" stroke="var(--surface)" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round">
        <path d="M5 16.500h3.200v-4h3.600v-3h3.400V6" />
        <path d="m12.600 16 2.300 2.300 4.300-4.900" />
      </g>
    </svg>
  );
}
