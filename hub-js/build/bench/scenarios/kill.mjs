/** K: the whole browser is killed right after the last ack, and what was acknowledged is looked for in the next one. */
const DURABILITIES = ['strict', 'relaxed'];
/** A peer that takes longer for them writes fewer. */
const WRITES = { rows: 100, bytes: 100, ms: 3_000 };

export default {
  id: 'kill',
  workloads: ['K'],
  figures: DURABILITIES.map((durability) => ({
    id: `K.${durability}`, workload: 'K', title: `lost of ${WRITES.rows} acknowledged, ${durability}`, unit: 'rows', better: 'less', isAside: true,
  })),
  deadline_ms: 60_000,
  why: () => null,
  async measure(run) {
    const figures = {};
    for (const durability of DURABILITIES.filter((durability) => run.peer.ack[durability] !== null)) {
      const table = await run.open({ durability, place: durability });
      const rows = await table.call('kill', 'write', WRITES);
      await run.kill();
      figures[`K.${durability}`] = await lost(run, durability, rows);
    }
    return figures;
  },
};

/** All of them, where the peer cannot even open or read the table any more. */
async function lost(run, durability, rows) {
  try {
    const reopened = await run.open({ durability, place: durability });
    const count = await reopened.call('kill', 'lost', { ...WRITES, rows });
    await reopened.tab.close();
    return count;
  } catch (error) {
    console.log(`${run.peer.name}, ${durability}, after the kill: ${error.message}`);
    return rows;
  }
}
