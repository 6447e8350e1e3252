/**
 * What is measured. A scenario: `{ id, workloads, figures, deadline_ms, why(peer), prepare?(run), prepare_ms?, measure(run) }`. `measure` answers a value for each of its
 * `figures` (undefined: not of this peer); `why` answers why it says nothing of a peer, or null. What `prepare` stores stays for all rounds.
 * A figure: `{ id, workload, title, unit, better: 'less' | 'more', isAside? }`; what is aside stands in the tables alone.
 */
import bulk from './bulk.mjs';
import cold from './cold.mjs';
import crud from './crud.mjs';
import growth from './growth.mjs';
import kill from './kill.mjs';
import notice from './notice.mjs';
import points from './points.mjs';
import singles from './singles.mjs';
import sizes from './sizes.mjs';
import stall from './stall.mjs';
import tabs from './tabs.mjs';

export const SCENARIOS = [crud, singles, tabs, bulk, points, cold, notice, stall, sizes, kill, growth];
export const WORKLOADS = [...new Set(SCENARIOS.flatMap(({ workloads }) => workloads))].sort();
export const FIGURES = SCENARIOS.flatMap(({ figures }) => figures).sort((a, b) => WORKLOADS.indexOf(a.workload) - WORKLOADS.indexOf(b.workload));
