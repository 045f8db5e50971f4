import react from '@vitejs/plugin-react';
import { loadEnv } from 'vite';
import { defineConfig } from 'vitest/config';

/** The service that `npm run dev` shows: BACKPROOF_URL in the environment or in frontend/.env. */
const server = loadEnv('development', '.', 'BACKPROOF_').BACKPROOF_URL ?? 'http://127.0.0.1:8000';

/** What every page needs, in one file: fewer requests, and together it compresses better than in small pieces. */
const BASE = [
  '@mantine/core/esm/core',
  '@mantine/core/esm/components/(ActionIcon|Button|CloseButton|Floating|FloatingArrow|FocusTrap|Loader|Notification)',
  '@mantine/core/esm/components/(Popover|Portal|Skeleton|Tooltip|Transition|UnstyledButton)',
  '@mantine/(hooks|notifications|store)',
  '@floating-ui',
  '@tanstack/(history|query-core|react-query|react-router|react-store|router-core|store)',
  '(i18next|react-i18next|openapi-fetch|clsx|html-parse-stringify|react-transition-group|use-sync-external-store)',
].join('|');

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/health', '/docs', '/static', '/ws'].map((path) => [
        path,
        // The service answers only pages of its own origin.
        { target: server, ws: path === '/ws', changeOrigin: true, headers: { origin: server } },
      ]),
    ),
  },
  build: {
    target: 'es2022',
    outDir: '../src/backproof/web/static/app',
    emptyOutDir: true,
    // Nothing inline: the content security policy has no data: for fonts and styles.
    assetsInlineLimit: 0,
    license: { fileName: 'licenses.md' },
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'base', test: new RegExp(`node_modules/(${BASE})/`) },
            { name: 'react', test: /node_modules\/(react|react-dom|scheduler)\// },
            // Shared by Mantine and ECharts: left alone it would pull ECharts into the first route.
            { name: 'tslib', test: /node_modules\/tslib\//, priority: 2 },
            { name: 'lightweight-charts', test: /node_modules\/(lightweight-charts|fancy-canvas)\// },
            { name: 'echarts', test: /node_modules\/(echarts|zrender)\// },
          ],
        },
      },
    },
  },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'] },
});
