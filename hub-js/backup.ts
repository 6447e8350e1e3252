/** A backup: the database as an SQLite file, written where it is to stay. Called by `client.ts`. */
import { HubError } from './errors.js';
import type { TransferOptions } from './options.js';
import type { Session } from './session.js';
import { exportStream } from './transfer.js';

/** Where a backup goes: a path in the origin's private file system, a file that the person has chosen, or any stream. */
export type BackupTarget = string | FileSystemFileHandle | WritableStream<Uint8Array>;

/** The file is replaced when the last byte is written: one that was there stays as it is until then. */
export async function backUp(session: Session, target: BackupTarget, options?: TransferOptions): Promise<void> {
  const stream = exportStream(session, options);
  const to = target instanceof WritableStream ? target : await writable(typeof target === 'string' ? await fileAt(target) : target);
  await stream.pipeTo(to);
}

async function fileAt(path: string): Promise<FileSystemFileHandle> {
  const storage = globalThis.navigator?.storage as StorageManager | undefined;
  if (typeof storage?.getDirectory !== 'function') throw new HubError('HUB_UNSUPPORTED', 'backup: this browser has no private file system here; pass a file handle or a WritableStream');
  const folders = path.split('/');
  const name = folders.pop() as string;
  if (![...folders, name].every(part => part !== '' && part !== '.' && part !== '..')) {
    throw new HubError('HUB_BAD_REQUEST', `backup: '${path}' is no path of a file; write it as 'folder/name.db'`);
  }
  let folder = await storage.getDirectory();
  for (const part of folders) folder = await folder.getDirectoryHandle(part, { create: true });
  return folder.getFileHandle(name, { create: true });
}

async function writable(file: FileSystemFileHandle): Promise<WritableStream<Uint8Array>> {
  if (typeof (file as Partial<FileSystemFileHandle> | null)?.createWritable === 'function') return file.createWritable();
  if (typeof file === 'object' && file !== null && 'getFile' in file) throw new HubError('HUB_UNSUPPORTED', 'backup: this browser cannot write to a file from a page (no createWritable); pass a WritableStream');
  throw new HubError('HUB_BAD_VALUE', 'backup: the target must be a path, a file handle or a WritableStream');
}
