/**
 * Notices that a hub has fallen silent: dead where nothing else tells, or wedged. Used by `link.ts`, once per connection. It asks for a
 * sign of life only while something is owed, or where the platform has no Web Locks; an idle tab causes no traffic otherwise.
 */
import type { Environment } from './environment.js';

/**
 * `ms` between two questions, and how many in a row may go without any sign of life. Counted in questions and not in time: a tab that was
 * itself frozen or busy for a while has asked only once. A hub that cannot suspend a long statement is silent until the statement ends.
 */
const USUAL = { ms: 2_500, silent_max: 4, busy_max: 16 };
const LOCKLESS = { ms: 250, silent_max: 4, busy_max: 160 };

export interface Pulsed {
  ping(): void;
  /** Whether the hub owes anything. */
  isAwaited(): boolean;
  silent(ms: number): void;
}

export class Pulse {
  readonly #env: Environment;
  readonly #pulsed: Pulsed;
  readonly #pace: typeof USUAL;
  #yields = true;
  #silent = 0;
  #stop: (() => void) | undefined;

  constructor(env: Environment, pulsed: Pulsed) {
    this.#env = env;
    this.#pulsed = pulsed;
    this.#pace = env.locks ? USUAL : LOCKLESS;
  }

  /** Something came; `yields`: whether the hub can suspend a long statement to answer meanwhile, if it said so. */
  heard(yields?: boolean): void {
    this.#silent = 0;
    if (yields !== undefined) this.#yields = yields;
  }

  /** Something was sent, or the hub is to be watched from now on. */
  expect(): void {
    this.#stop ??= this.#env.timer(this.#pace.ms, () => this.#beat());
  }

  end(): void {
    this.#stop?.();
  }

  #beat(): void {
    this.#stop = undefined;
    if (this.#env.locks && !this.#pulsed.isAwaited()) {
      this.#silent = 0;
      return;
    }
    const { ms, silent_max, busy_max } = this.#pace;
    const most = this.#yields ? silent_max : busy_max;
    if (this.#silent >= most) return this.#pulsed.silent(most * ms);
    this.#silent += 1;
    this.#pulsed.ping();
    this.expect();
  }
}
