/**
 * The whole database as a file, in and out, in parts with credits, so that neither side ever holds more than a few parts unasked.
 * Called by `client.ts`.
 */
import { rawPart } from './codec.js';
import { HubError, reason } from './errors.js';
import type { Exchange, ExchangeOptions } from './exchange.js';
import { KNOWN, checkOptions, type TransferOptions } from './options.js';
import { expect, type Session } from './session.js';
import { asBytes } from './values.js';

const PART_BYTES = 512 * 1024;

/** What a database can be imported from. */
export type ImportSource = Blob | ArrayBuffer | ArrayBufferView;

/** Sends the file part by part, one for each credit of the hub. */
export async function importFile(session: Session, source: ImportSource, options?: TransferOptions): Promise<void> {
  const { onProgress, signal } = checkOptions(options, KNOWN.transfer, 'import');
  const bytes = asBytes(source);
  const total = bytes ? bytes.length : blobSize(source);
  const slice = async (from: number, to: number): Promise<Uint8Array> =>
    bytes ? bytes.subarray(from, to) : new Uint8Array(await (source as Blob).slice(from, to).arrayBuffer());
  const about: ExchangeOptions = { what: 'import', writes: true, signal };
  const exchange = session.exchange({ import: { size: total } }, [], about);
  for (let sent = 0; ;) {
    const reply = await exchange.next();
    const going = 'more' in reply.body;
    if (!going) expect('done', reply, about);
    if (sent > 0) onProgress?.(sent, total);
    if (!going) return;
    const part = await readPart(exchange, () => slice(sent, sent + PART_BYTES));
    sent += part.length;
    session.note({ part: { target: exchange.id, end: sent === total } }, [rawPart(part)]);
  }
}

function blobSize(source: unknown): number {
  if (source instanceof Blob) return source.size;
  throw new HubError('HUB_BAD_VALUE', 'import: the source must be a Blob, an ArrayBuffer or a view of one');
}

/** A Blob's file may have changed or vanished since it was chosen. */
async function readPart(exchange: Exchange, read: () => Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await read();
  } catch (cause) {
    exchange.abandon();
    throw new HubError('HUB_BAD_VALUE', `import: the Blob could not be read: ${reason(cause)}`, { cause });
  }
}

/** The file as a stream of its parts. Nothing is sent before the first is asked for. */
export function exportStream(session: Session, options?: TransferOptions): ReadableStream<Uint8Array> {
  const { onProgress, signal } = checkOptions(options, KNOWN.transfer, 'export');
  const about: ExchangeOptions = { what: 'export', writes: false, signal };
  let exchange: Exchange | undefined;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      exchange ??= session.exchange({ export: {} }, [], about);
      const reply = await exchange.next();
      const { offset, total, end } = expect('bytes', reply, about);
      controller.enqueue(reply.payload);
      onProgress?.(offset + reply.payload.length, total);
      if (end) controller.close();
      else exchange.pull();
    },
    cancel: () => exchange?.abandon(),
  }, { highWaterMark: 0 });
}

/** The file in one piece. */
export async function exportFile(session: Session, options?: TransferOptions): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const reader = exportStream(session, options).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
  }
  const file = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}
