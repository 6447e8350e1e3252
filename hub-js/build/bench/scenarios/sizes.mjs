/** J: what a page downloads. Measured without a browser. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress } from 'node:zlib';
import { BENCH } from '../bundle.mjs';

const KB = 1_000;
const compress = promisify(brotliCompress);
/** Several peers download one and the same engine. */
const sizes = new Map();

export default {
  id: 'sizes',
  workloads: ['J'],
  figures: [
    { id: 'J.brotli', workload: 'J', title: 'all files, brotli', unit: 'KB', better: 'less' },
    { id: 'J.raw', workload: 'J', title: 'uncompressed', unit: 'KB', better: 'less', isAside: true },
  ],
  rounds_max: 1,
  deadline_ms: 180_000,
  why: ({ download }) => (download.length > 0 ? null : 'nothing to download'),
  async measure({ peer }) {
    const files = await Promise.all(peer.download.map(sizesOf));
    const sum = (which) => files.reduce((sum, file) => sum + file[which], 0) / KB;
    return { 'J.brotli': sum('brotli'), 'J.raw': sum('raw') };
  },
};

function sizesOf(file) {
  if (!sizes.has(file)) sizes.set(file, measureSizes(readFileSync(join(BENCH, file))));
  return sizes.get(file);
}

/** Node's default is the best quality, as for files that are compressed once. */
async function measureSizes(bytes) {
  return { raw: bytes.length, brotli: (await compress(bytes)).length };
}
