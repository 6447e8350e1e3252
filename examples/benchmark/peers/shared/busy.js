/** How long a write is tried again while other tabs write. Then the engine's own error stands. */
const BUSY_MS = 10_000;
const SQLITE_BUSY = /database is locked/;

/** For packages that answer SQLITE_BUSY when another tab wrote in between, and leave it to the application to try again: at once, as nothing else tells. */
export async function whileBusy(work) {
  for (const end = performance.now() + BUSY_MS; ; ) {
    try {
      return await work();
    } catch (error) {
      if (!SQLITE_BUSY.test(error.message) || performance.now() > end) throw error;
    }
  }
}
