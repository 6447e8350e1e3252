import { PROTOCOL_VERSION } from './protocol.js';

/** The newest stored format that this build's hub reads: `store::header::FORMAT`. Told to the hub in hello. A test holds the two together. */
export const FORMAT = 5;
/** The client's version, told to the hub in hello. A test holds it to package.json's. */
export const BUILD = '0.1.0';

/** What a hub or a page is built of. */
export interface About { build: string; protocol: number; format: number }

/** Whether `one` is newer than `other`: speaks a later protocol, else stores a later format, else has a later version. */
export function isNewer(one: About, other: About): boolean {
  const order = ({ build, protocol, format }: About): number[] => [protocol, format, ...build.split('.').map(Number)];
  const [ones, others] = [order(one), order(other)];
  const at = ones.findIndex((number, at) => number !== others[at]);
  return at >= 0 && Number(ones[at]) > Number(others[at]);
}

export const ABOUT: About = { build: BUILD, protocol: PROTOCOL_VERSION, format: FORMAT };
