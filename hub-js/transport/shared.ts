/**
 * The way to a hub in a SharedWorker. The worker is found by its name, so the tabs agree on one by agreeing on a generation: each hub that
 * is lost, and each worker that twice did not stir, is left behind with its generation. That one which was left behind lives after all does
 * no harm: whichever owns the database, the other leads its tabs there.
 */
import type { Connection, Environment, Receiver } from '../environment.js';
import { workerName } from '../protocol.js';
import { Detour } from './detour.js';
import type { Place, Route } from './route.js';

/** So many connections without any sign of life, and the worker is taken for wedged. */
const MISSES_MAX = 2;

/** One that has SharedWorker. */
export type SharedEnvironment = Environment & { connect: NonNullable<Environment['connect']> };

export class SharedRoute implements Route {
  readonly mode = 'shared';
  readonly role = 'client';
  readonly #env: SharedEnvironment;
  readonly #place: Place;
  readonly #key: string;
  /** Of the worker that was asked for last. */
  #generation = 0;
  #misses = 0;

  constructor(env: SharedEnvironment, place: Place) {
    this.#env = env;
    this.#place = place;
    this.#key = `tabhub:${place.database}:generation`;
  }

  connect(receiver: Receiver): Connection {
    if (this.#misses >= MISSES_MAX) this.lost(false);
    this.#generation = Math.max(this.#generation, this.#stored);
    this.#misses += 1;
    const { url, database } = this.#place;
    const reach = (): void => detour.lead(from => this.#env.connect(url, workerName(database, this.#generation), from));
    let mayBeRefused = true;
    const stirred = (): void => { this.#misses = 0; };
    const detour = new Detour(this.#env, database, {
      ...receiver,
      message(data) {
        stirred();
        mayBeRefused = false;
        receiver.message(data);
      },
      loadFailed: () => {
        stirred();
        // All that share a worker must ask for the same lifetime, and another script may have asked for another one: not of the next worker.
        if (!mayBeRefused) return receiver.loadFailed();
        mayBeRefused = false;
        this.lost(false);
        reach();
      },
    });
    reach();
    return detour;
  }

  adopted(): void {}

  /** Whoever loses the same worker comes to the same next one. */
  lost(isSucceeded: boolean): void {
    this.#misses = 0;
    if (isSucceeded) return;
    this.#generation += 1;
    try {
      if (this.#generation > this.#stored) this.#env.storage?.setItem(this.#key, String(this.#generation));
    } catch {
      // It is full. Then tabs that open later begin with an older worker, and are led on from there.
    }
  }

  close(): void {}

  /** The newest generation that any tab has told of; what is no number was not written by us. */
  get #stored(): number {
    const stored = Number(this.#env.storage?.getItem(this.#key));
    return Number.isSafeInteger(stored) ? stored : 0;
  }
}
