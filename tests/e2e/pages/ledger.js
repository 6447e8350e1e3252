// Writes without a pause, each write numbered, and tells the test outside the browser of every acknowledgement before it makes
// the next one. ledger.mjs starts it and judges afterwards what is stored; here only what a single tab can see is judged.
globalThis.ledger = (() => {
  const acked = {};
  let running;
  /** Resolves when this tab may begin a transaction. */
  let mayBegin = Promise.resolve();
  let release = () => {};
  let inTransaction = Promise.resolve();

  /** How the write `n` of a lane is made. What each must leave behind stands in ledger.mjs. */
  const LANES = {
    insert: (tab, n) => db.run(...entry(tab, 'insert', n, 0)),
    batch: (tab, n) => db.batch([0, 1, 2].map((part) => entry(tab, 'batch', n, part))),
    transaction: writeTransaction,
    update: writeUpdate,
    large: writeLarge,
  };

  /** Runs every lane until `stop`: `width` writes at a time, with `pause` ms after each. May be called again after it. */
  function start({ tab, lanes }) {
    running = { stopped: false };
    const loops = lanes.flatMap(({ name, width, pause }) => {
      const lane = { tab, name, pause, last: 0 };
      acked[name] = 0;
      return Array.from({ length: width }, () => writeOn(lane));
    });
    running.ended = Promise.all([...loops, readOn(tab)]);
  }

  /** Resolves when this tab has no transaction open; it begins none until `goOn`. */
  async function hold() {
    mayBegin = new Promise((resolve) => (release = resolve));
    await inTransaction.catch(() => {});
  }

  const goOn = () => release();

  /** Resolves when nothing is under way any more. */
  async function stop() {
    running.stopped = true;
    await running.ended;
  }

  async function writeOn(lane) {
    while (!running.stopped) {
      const n = ++lane.last;
      const began = harness.now();
      try {
        await LANES[lane.name](lane.tab, n);
      } catch (error) {
        return harness.post(`error ${lane.tab} ${lane.name} ${n}: ${error.code} (${error.outcome}): ${error.message}`);
      }
      acked[lane.name]++;
      await harness.post(`ack ${lane.tab} ${lane.name} ${n} ${waitSince(began)}`);
      if (lane.pause) await harness.sleep(lane.pause);
    }
  }

  /** When a call was made, and how long its caller waited; both in ms, the first since 1970. */
  const waitSince = (began) => `${began.toFixed(1)} ${(harness.now() - began).toFixed(1)}`;

  /** A tab sees its own writes as soon as they are acknowledged, and never again fewer. */
  async function readOn(tab) {
    let seen = 0;
    while (!running.stopped) {
      const least = Math.max(seen, acked.insert);
      const began = harness.now();
      try {
        const { n } = await db.get("SELECT count(*) AS n FROM entry WHERE tab = ? AND lane = 'insert'", [tab]);
        if (n < least) return harness.post(`error ${tab} read: ${n} inserts, but ${least} had been acknowledged or read before`);
        seen = n;
        void harness.post(`read ${tab} read - ${waitSince(began)}`);
      } catch (error) {
        return harness.post(`error ${tab} read: ${error.code}: ${error.message}`);
      }
      await harness.sleep(20);
    }
  }

  /** The parameters, and so the row, follow from the write's number: the judge knows what must stand there. */
  function entry(tab, lane, n, part, value = null) {
    const body = `${tab}/${lane}/${n}/${part};`.repeat(n % 25 === 0 ? 2000 : 1 + (n % 9));
    return ['INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)', [tab, lane, n, part, value, body]];
  }

  /** Read, think, write, by all tabs on one number. What a dead hub left open was never applied and is done again. */
  async function writeTransaction(tab, n) {
    const work = async (tx) => {
      const { value } = await tx.get('SELECT value FROM shared');
      await tx.run('UPDATE shared SET value = ?', [value + 1]);
      await tx.run(...entry(tab, 'transaction', n, 0, value + 1));
      await harness.sleep(n % 4);
      await tx.run(...entry(tab, 'transaction', n, 1));
    };
    for (;;) {
      await mayBegin;
      try {
        return await (inTransaction = db.transaction(work));
      } catch (error) {
        if (error.code !== 'HUB_TRANSACTION_LOST' || error.outcome !== 'not-applied') throw error;
        await harness.post(`lost ${tab} transaction ${n}`);
      }
    }
  }

  /** Nobody else counts on this tab's counter, so a write that was carried out twice shows at once. */
  async function writeUpdate(tab, n) {
    const { value } = await db.get('UPDATE counter SET value = value + 1 WHERE tab = ? RETURNING value', [tab]);
    if (value !== n) throw new Error(`the counter stands at ${value} after write ${n}`);
  }

  /** More than one write transaction of the store can hold: 80 rows of 64 KiB, in the place of the last ones. */
  function writeLarge(tab, n) {
    return db.exec(`DELETE FROM large;
      WITH RECURSIVE p (part) AS (SELECT 0 UNION ALL SELECT part + 1 FROM p WHERE part < 79)
      INSERT INTO large SELECT ${tab}, ${n}, part, randomblob(65536) FROM p;`);
  }

  return { start, stop, hold, goOn };
})();
