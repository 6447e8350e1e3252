// Starts the Rust app. Its exports are global for the project's browser test; an app of yours needs only the call.
import init, * as app from './dist/rust_app.js';

await init();
globalThis.app = app;
