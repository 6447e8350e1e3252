// Next.js itself, as a static export. Called by package.test.mjs where TABHUB_ALL asks for everything: it is 340 MB to install.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NOTES, createApp } from './packed.mjs';

const BUILD_MS = 240_000;
const FILES = {
  'next.config.mjs': "export default { output: 'export', basePath: '/apps/next/out' };",
  'app/layout.js': 'export default function Layout({ children }) { return <html lang="en"><head><link rel="icon" href="data:," /></head><body>{children}</body></html>; }',
  'app/page.js': "import Notes from './notes.js';\nexport default function Page() { return <Notes />; }",
  // Rendered on the server too.
  'app/notes.js': `'use client';
import { useEffect } from 'react';
import { open } from 'tabhub';
import { useLiveQuery } from 'tabhub/react';
${NOTES}
export default function Notes() {
  const { isLoading } = useLiveQuery(undefined, 'SELECT 1');
  useEffect(() => { showNotes(open); }, []);
  return <p>{String(isLoading)}</p>;
}`,
};

export async function nextApp(packed) {
  const app = createApp(packed, 'next', 'next@16.4.6', 'react@19.3.1', 'react-dom@19.3.1');
  mkdirSync(join(app, 'app'));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(app, name), text);
  execFileSync('node', ['node_modules/next/dist/bin/next', 'build'], { cwd: app, timeout: BUILD_MS, stdio: 'pipe', env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' } });
  return '/apps/next/out/';
}
