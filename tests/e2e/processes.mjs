// The processes of a browser, told apart by the work they do: which one runs a page or a hub, no engine says in the same way,
// but its CPU time shows it. Linux only. It never signals a process outside of the group it is given.
import { readFileSync, readdirSync } from 'node:fs';

/** Ticks (10 ms each) below which nothing is concluded. */
const TICKS_MIN = 10;
/** Something else in the browser may be busy for a moment, with a page that was just loaded for example, or the machine may be. */
const TRIES = 8;
const WORK_MS = 300;

/** Each process of the group with the CPU time it has used, in ticks. */
export function cpuTicks(group) {
  const ticks = new Map();
  for (const pid of pids()) {
    const stat = readStat(pid);
    if (stat && stat.group === group && stat.state !== 'Z') ticks.set(Number(pid), stat.ticks);
  }
  return ticks;
}

/** The one process of the group that works whenever `work(ms)` keeps it busy for so long; an error when it is not plain which. */
export async function workerOf(group, work) {
  for (let tries = 1; ; tries++) {
    const before = cpuTicks(group);
    await work(tries * WORK_MS);
    const spent = [...cpuTicks(group)].map(([pid, ticks]) => ({ pid, ticks: ticks - (before.get(pid) ?? 0) }));
    const [first, second] = spent.sort((a, b) => b.ticks - a.ticks);
    if (first.ticks >= TICKS_MIN && first.ticks >= 3 * second.ticks) return first.pid;
    if (tries === TRIES) throw new Error(`which process worked is not plain: ${spent.slice(0, 4).map(({ pid, ticks }) => `${pid} ${ticks} ticks`).join(', ')}`);
  }
}

/** A signal to one process of the group, not to its leader. */
export function signalOne(group, pid, signal) {
  if (pid === group || !cpuTicks(group).has(pid)) throw new Error(`process ${pid} is none of group ${group}, or leads it`);
  process.kill(pid, signal);
}

/** Every process that was started with `folder` in its environment, also one that left its group. */
export function processesNaming(folder) {
  return pids().filter((pid) => readProc(pid, 'environ')?.includes(folder));
}

const pids = () => readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));

/** See proc(5): the fields after the program's name, which may hold spaces and brackets. */
function readStat(pid) {
  const text = readProc(pid, 'stat');
  if (text === undefined) return undefined;
  const [state, , group, , , , , , , , , user, system] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state, group: Number(group), ticks: Number(user) + Number(system) };
}

/** Undefined for a process that is gone, or another user's. */
function readProc(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(error.code)) return undefined;
    throw error;
  }
}
