/**
 * How tabs of a database without notifications of its own tell each other of a commit: one message over BroadcastChannel after the ack, where the
 * table is opened to be watched; so this costs nothing where nobody asks for it.
 */
export function announcer(name, isWatched) {
  const channel = isWatched ? new BroadcastChannel(`announced:${name}`) : undefined;
  return {
    watch(callback) {
      channel.onmessage = callback;
    },
    /** Answers what it is given, for use around an ack. */
    announce(value) {
      channel?.postMessage(null);
      return value;
    },
    close: () => channel?.close(),
  };
}
