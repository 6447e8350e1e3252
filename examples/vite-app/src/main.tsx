// The app's beginning: the page while the database opens, and when it cannot.
import { StrictMode, Suspense } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { ErrorBoundary } from './ErrorBoundary';
import './style.css';

createRoot(document.querySelector('#app') as HTMLElement).render(
  <StrictMode>
    <h1>Habits</h1>
    <p className="muted">One list for all tabs. Open a second one and tick something in either.</p>
    <ErrorBoundary>
      <Suspense fallback={<p role="status">Opening the database…</p>}>
        <App />
      </Suspense>
    </ErrorBoundary>
  </StrictMode>,
);
