/**
 * The Web Lock by whose release the hub learns that a tab is gone. `session.ts` owns one for its life; each hello names it. It never learns
 * what became of the hub.
 */
import type { Environment } from './environment.js';
import { HubError, reason } from './errors.js';

export class TabLock {
  readonly #locks: Environment['locks'];
  readonly #name: string;
  #times = 0;
  #held: Promise<string>;
  #release = (_why: HubError): void => {};

  constructor(env: Environment, name: string) {
    this.#locks = env.locks;
    this.#name = name;
    this.#held = this.#take();
  }

  /** The lock's name once it is held; '' where there are no Web Locks. Rejects with `HUB_UNSUPPORTED` where the browser refuses it, or with the reason for its release. */
  get held(): Promise<string> {
    return this.#held;
  }

  /** Lets go of it; who still waits for it is told why. */
  release(why: HubError): void {
    this.#release(why);
  }

  /** A page in the back/forward cache may have lost it without a word. Under another name: the last one may still be held. */
  renew(why: HubError): void {
    this.release(why);
    this.#held = this.#take();
  }

  #take(): Promise<string> {
    const locks = this.#locks;
    if (!locks) return Promise.resolve('');
    const name = this.#times++ === 0 ? this.#name : `${this.#name}:${this.#times}`;
    const held = new Promise<string>((resolve, reject) => {
      const released = new Promise<void>(release => {
        this.#release = why => { release(); reject(why); };
      });
      locks.request(name, () => { resolve(name); return released; })
        .catch(cause => reject(new HubError('HUB_UNSUPPORTED', `the browser refused this tab a Web Lock: ${reason(cause)}`, { cause })));
    });
    // Each hello awaits it; there may be none.
    held.catch(() => {});
    return held;
  }
}
