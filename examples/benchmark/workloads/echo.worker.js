// The control of workload E: what a message to a SharedWorker and its answer cost, with a row as small as those that are read.
const BODY = 'x'.repeat(100);

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data: { id } }) => port.postMessage({ id, row: { id, body: BODY } });
};
