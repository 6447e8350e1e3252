/**
 * How tabs of a database without notifications of its own tell each other of a commit: one message over BroadcastChannel after the ack. A tab
 * that has never watched announces nothing, so this costs nothing where nobody asks for it.
 */
export function announcer(name) {
  let channel;
  return {
    watch(callback) {
      channel = new BroadcastChannel(`announced:${name}`);
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
