// Starts the Rust app. Its exports are global for the project's browser test; an app of yours needs only `import init` and the call.
import { showError } from '../page.js';

const app = await import('./dist/rust_app.js').catch(cause => {
  showError({ code: 'Not built yet', message: 'npm start builds this page last, and says when it is there. Load the page again then.' });
  throw cause;
});
await app.default();
globalThis.app = app;
