/** The check of the whole database, streamed with back-pressure. Called by `client.ts`; the hub does the checking. */
import { expect } from './exchange.js';
import { KNOWN, checkOptions, type CheckOptions } from './options.js';
import type { Session } from './session.js';

/** What a check found. */
export interface CheckResult {
  /** Whether there is no problem. */
  ok: boolean;
  /** Each a sentence naming what is damaged. */
  problems: string[];
}

/** The hub goes on as the progress is consumed; a throw of `onProgress` stops it. */
export async function checkDatabase(session: Session, options?: CheckOptions): Promise<CheckResult> {
  const { level = 'quick', onProgress, signal } = checkOptions(options, KNOWN.check, 'check');
  const about = { what: 'check', writes: false, stream: true, signal };
  const exchange = session.exchange({ check: { level } }, [], about);
  const problems: string[] = [];
  try {
    for (;;) {
      const { stage, done, total, problems: found, end } = expect('checked', await exchange.next(), about);
      problems.push(...found);
      onProgress?.({ stage, done, total });
      if (end) return { ok: problems.length === 0, problems };
      exchange.pull();
    }
  } finally {
    exchange.abandon();
  }
}
