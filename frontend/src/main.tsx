import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './app/mantine.css';
import './app/mantine-variables.css';
import './app/tokens.css';
import './app/base.css';
import './app/touch.css';
import { queryClient, watchServer } from './api/query-client';
import { router } from './app/router';
import { theme } from './app/theme';
import { startI18n } from './i18n';

watchServer();
await startI18n();
createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    {/* Nothing may write style elements: the variables are in mantine-variables.css. */}
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
        <Notifications position="bottom-right" />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
