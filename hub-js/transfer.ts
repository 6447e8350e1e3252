/**
 * The whole database as a file, in and out, in parts with credits, so that neither side ever holds more than a few parts unasked.
 * Called by `client.ts`.
 */
import { FRAME_BYTES_MAX } from './bundle.js';
import { rawPart } from './codec.js';
import { HubError, reason } from './errors.js';
import { expect, type Exchange, type ExchangeOptions } from './exchange.js';
import { KNOWN, checkOptions, type TransferOptions } from './options.js';
import type { Session } from './session.js';
import { asBytes } from './values.js';

const PART_BYTES = 512 * 1024;

/** What a database can be imported from. */
export type ImportSource = Blob | ArrayBuffer | ArrayBufferView;

/** What could be read of a damaged database. */
export interface Salvage {
  /** An SQLite file of the database's size. */
  file: Uint8Array;
  /** How many of its bytes could not be read, and are zeros. */
  lostBytes: number;
}

/** Sends the file part by part, one for each credit of the hub. */
export async function importFile(session: Session, source: ImportSource, options?: TransferOptions): Promise<void> {
  const { onProgress, signal } = checkOptions(options, KNOWN.transfer, 'import');
  const bytes = asBytes(source);
  const total = bytes ? bytes.length : blobSize(source);
  const slice = async (from: number, to: number): Promise<Uint8Array> =>
    bytes ? bytes.subarray(from, to) : new Uint8Array(await (source as Blob).slice(from, to).arrayBuffer());
  const about: ExchangeOptions = { what: 'import', writes: true, stream: true, signal };
  const exchange = session.exchange({ import: { size: total } }, [], about);
  try {
    for (let sent = 0; ;) {
      const reply = await exchange.next();
      const going = 'more' in reply.body;
      if (!going) expect('done', reply, about);
      if (sent > 0) onProgress?.(sent, total);
      if (!going) return;
      const part = await readPart(() => slice(sent, sent + PART_BYTES));
      sent += part.length;
      exchange.note({ part: { target: exchange.id, end: sent === total } }, [rawPart(part)]);
    }
  } finally {
    exchange.abandon();
  }
}

function blobSize(source: unknown): number {
  if (source instanceof Blob) return source.size;
  throw new HubError('HUB_BAD_VALUE', 'import: the source must be a Blob, an ArrayBuffer or a view of one');
}

/** A Blob's file may have changed or vanished since it was chosen. */
async function readPart(read: () => Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await read();
  } catch (cause) {
    throw new HubError('HUB_BAD_VALUE', `import: the Blob could not be read: ${reason(cause)}`, { cause });
  }
}

/** The file as a stream of its parts. Nothing is sent before the first is asked for. */
export function exportStream(session: Session, options?: TransferOptions): ReadableStream<Uint8Array> {
  return fileStream(session, 'export', options, () => {});
}

/** The file in one piece. */
export async function exportFile(session: Session, options?: TransferOptions): Promise<Uint8Array> {
  return collect(exportStream(session, options));
}

/** What can be read of the file, with zeros for the rest. */
export async function salvageFile(session: Session, options?: TransferOptions): Promise<Salvage> {
  let lostBytes = 0;
  const file = await collect(fileStream(session, 'salvage', options, lost => { lostBytes += lost }));
  return { file, lostBytes };
}

/** `onLost` is told how many bytes of a part could not be read. */
function fileStream(session: Session, what: 'export' | 'salvage', options: TransferOptions | undefined, onLost: (bytes: number) => void): ReadableStream<Uint8Array> {
  const { onProgress, signal } = checkOptions(options, KNOWN.transfer, what);
  const about: ExchangeOptions = { what, writes: false, stream: true, signal };
  let exchange: Exchange | undefined;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      exchange ??= session.exchange({ export: what === 'salvage' ? { salvage: true } : {} }, [], about);
      try {
        const reply = await exchange.next();
        const { offset, total, end, lost = 0 } = expect('bytes', reply, about);
        // Whoever gets it may transfer it; in a bundle it shares its buffer with other replies.
        controller.enqueue(ownBytes(reply.payload));
        onLost(lost);
        onProgress?.(offset + reply.payload.length, total);
        if (end) controller.close();
        else exchange.pull();
      } catch (error) {
        exchange.abandon();
        throw error;
      }
    },
    cancel: () => exchange?.abandon(),
  }, { highWaterMark: 0 });
}

/** The bytes in a buffer of their own, but for a frame's header. */
function ownBytes(payload: Uint8Array): Uint8Array {
  return payload.length > FRAME_BYTES_MAX ? payload : payload.slice();
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const reader = stream.getReader();
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
