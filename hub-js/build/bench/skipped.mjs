/** Thrown by a scenario that says nothing of a peer, with the reason: no failure. */
export class Skipped extends Error {}
