/** Holding a Web Lock beyond a callback: what tabs and workers have them for is to be seen alive. */

export type Locks = Pick<LockManager, 'request'>;

/**
 * Answers what lets go of the lock, once it is held; undefined where `ifAvailable` found it taken. It is held until then, or until page or
 * worker end. Rejects where the browser refuses it or the signal came first. `onStolen`: another took it away later.
 */
export function hold(locks: Locks, name: string, how: LockOptions, onStolen?: () => void): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    let isHeld = false;
    locks.request(name, how, lock => {
      if (!lock) return resolve(undefined);
      isHeld = true;
      return new Promise<void>(release => resolve(release));
    }).catch((error: unknown) => {
      if (isHeld) onStolen?.();
      else reject(error);
    });
  });
}
