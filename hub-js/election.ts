/**
 * Decides which tab hosts the hub where there is no SharedWorker: one machine for each session, events and the time in, actions out. The
 * transport that runs the hub in a tab's worker feeds it and does what it says. A Web Lock decides where there are Web Locks, the lease
 * alone elsewhere. It never does anything itself, and a wrong decision costs only time: who may commit is the epoch's to say, which every
 * transaction checks.
 *
 * Nothing is taken from a holder that may live: before a stale lease is taken over, a lock stolen or a hub given up, one more question
 * goes out on the channel, and only the silence after it counts. A hub answers it from its worker, even while its tab is blocked.
 */
import type { ElectionAction, ElectionEvent, Means } from './election-events.js';
import { type Lease, type LeaseChange, LeaseWatch } from './lease.js';

/** How long a visible tab goes first, so that a hidden one, whose timers are throttled, hosts only where no other can. */
const HEAD_START_MS = 150;
/** In this time a live hub has answered, and a lease that is renewed every `RENEW_MS` has been. */
const ANSWER_MS = 450;
/** A hub's answers from before its end may still arrive for so long after it. */
const ECHO_MS = 150;
/** Without locks: a claim stands if it is still there after this, when all tabs see the same storage. */
const SETTLE_MS = 80;
/** Without locks. */
const RENEW_MS = 400;
/** A lease is good for so many times of its renewal. */
const RENEWALS = 3;
const PATIENCE_MS = 10_000;
/** A hub without a word for so many patiences is wedged; one statement may well take one of them where a hub cannot pause it. */
const WEDGED_PATIENCES = 3;
/** Without a channel: a page that is reloaded finds its own lock held for a moment. */
const RELOAD_MS = 1_000;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 500;
/** How many holders that were stolen from are remembered. */
const ROBBED_MAX = 16;

export class Election {
  readonly #id: string;
  readonly #means: Means;
  readonly #patienceMs: number;
  readonly #renewMs: number;
  readonly #watch: LeaseWatch;
  #phase: 'idle' | 'seeking' | 'claiming' | 'hosting' | 'following' | 'closed' = 'idle';
  /** Of the event that is being handled: its time, and what is to be done. */
  #now = 0;
  #actions: ElectionAction[] = [];
  #wakeAt: number | undefined;
  #isVisible = true;
  /** False between `hide` and `show`. */
  #isShown = true;

  /** Since when this holder keeps us waiting. */
  #since = 0;
  /** When to ask, and to try for the lock or a free lease, next. */
  #tryAt = 0;
  #retryMs = RETRY_MIN_MS;
  /** Others go first until then. */
  #restUntil = -Infinity;
  /** An answer to a probe or a steal is under way. */
  #isProbing = false;
  /** When the last question went out before something is taken or given up; undefined without doubt. */
  #doubtAt: number | undefined;
  readonly #robbed: string[] = [];

  /** Claiming: what stood there before, and when the claim stands. */
  #before: Lease | null = null;
  #settleAt = 0;

  /** Followed or hosted, and its last word; empty until the worker says it. */
  #hub = '';
  #gone = { hub: '', until: -Infinity };
  #heardAt = 0;
  /** Following: when to doubt our hub, because another one answered. */
  #rivalAt = Infinity;
  /** Claiming or hosting: the epoch of our lease, and when to renew it. */
  #epoch = 0;
  #renewAt = 0;

  /** `id`: the session's, of which no other tab has the same. */
  constructor(id: string, means: Means) {
    this.#id = id;
    this.#means = means;
    this.#patienceMs = means.patienceMs ?? PATIENCE_MS;
    // The lock tells who lives; the lease only tells the silent from the busy, so it may cost less.
    this.#renewMs = means.locks ? this.#patienceMs / 2 : RENEW_MS;
    this.#watch = new LeaseWatch(this.#renewMs * RENEWALS);
  }

  /** When it wants to be woken. */
  get wakeAt(): number | undefined {
    return this.#wakeAt;
  }

  /** A leader's hub may not be there yet. */
  get role(): 'none' | 'leader' | 'follower' {
    return this.#phase === 'hosting' ? 'leader' : this.#phase === 'following' ? 'follower' : 'none';
  }

  /** `now`: of a clock that does not go back within this tab. `lease`: as read in this moment. Never throws, whatever comes when. */
  handle(event: ElectionEvent, now: number, lease: Lease | null): ElectionAction[] {
    this.#actions = [];
    this.#wakeAt = undefined;
    this.#now = now;
    const change = this.#watch.look(lease, now);
    // Who seeks has left the hub whose end the lease tells of.
    const isOldNews = event.type === 'seek' && this.#phase === 'following';
    if (change !== 'none' && !isOldNews) this.#changed(change);
    this.#take(event);
    this.#goOn();
    return this.#actions;
  }

  /** Another tab wrote the lease. */
  #changed(change: LeaseChange): void {
    if (this.#phase === 'following') {
      if (change === 'freed') this.#lose('the tab that hosted the hub handed over');
      if (change === 'moved') this.#doubt();
    } else if (this.#phase === 'seeking' && this.#isShown) {
      this.#doubtAt = undefined;
      if (change !== 'renewed') this.#seek();
      else if (!this.#means.channel || this.#now >= this.#since + this.#patienceMs) this.#giveUp();
    }
  }

  #take(event: ElectionEvent): void {
    switch (event.type) {
      case 'seek': return this.#wanted();
      case 'here': return this.#here(event.hub);
      case 'lock': return this.#lock(event.state);
      case 'tick': return this.#phase === 'hosting' ? this.#heard() : undefined;
      case 'visible': return this.#visible(event.visible);
      case 'hide': return this.#hide();
      case 'show': return this.#show();
      case 'hosting': return this.#hosting(event.hub, event.epoch);
      case 'elsewhere': return this.#elsewhere(event.hub);
      case 'ended': return this.#ended();
      case 'close': return this.#close();
      // Nothing but what time and the lease bring.
      case 'lease': case 'wake':
    }
  }

  /** What is due. */
  #goOn(): void {
    switch (this.#phase) {
      case 'seeking': return this.#isShown ? this.#pursue() : undefined;
      case 'claiming': return this.#settle();
      case 'hosting': return this.#hold();
      case 'following': return this.#keepUp();
      // Whatever was due is not any more.
      case 'idle': case 'closed': this.#wakeAt = undefined;
    }
  }

  // The session.

  #wanted(): void {
    if (this.#phase === 'hosting' && this.#hub) this.#retire();
    else if (this.#phase === 'following') this.#forget();
    else if (this.#phase !== 'idle') return;
    if (!this.#means.locks && !this.#means.lease) {
      this.#phase = 'idle';
      return this.#act({ type: 'unreachable', why: 'this browser has neither Web Locks nor localStorage, so its tabs cannot agree on one of them; allow the site to store data' });
    }
    this.#seek();
  }

  #seek(): void {
    this.#phase = 'seeking';
    this.#doubtAt = undefined;
    this.#since = this.#now;
    this.#tryAt = Math.max(this.#now + this.#lag, this.#restUntil);
    this.#retryMs = RETRY_MIN_MS;
    if (this.#isShown) this.#ask();
  }

  #giveUp(): void {
    this.#phase = 'idle';
    const why = this.#means.channel ? 'does not answer; close or reload that tab'
      : 'cannot be reached, because this browser has no BroadcastChannel; close that tab';
    this.#act({ type: 'unreachable', why: `another tab has the database open and ${why}` });
  }

  #close(): void {
    if (this.#phase === 'hosting') this.#resign();
    else if (this.#phase === 'claiming') this.#free();
    this.#phase = 'closed';
  }

  // The page.

  #visible(visible: boolean): void {
    this.#isVisible = visible;
    if (visible) this.#tryAt = Math.min(this.#tryAt, this.#now);
  }

  #hide(): void {
    this.#isShown = false;
    if (this.#phase === 'hosting') {
      this.#resign();
      this.#act({ type: 'lost', why: 'the page was put aside' });
    } else if (this.#phase === 'claiming') {
      this.#free();
    } else {
      return;
    }
    this.#phase = 'seeking';
  }

  #show(): void {
    this.#isShown = true;
    if (this.#phase === 'seeking') this.#seek();
    else if (this.#phase === 'following') this.#doubt();
  }

  get #lag(): number {
    return this.#isVisible ? 0 : HEAD_START_MS;
  }

  // Seeking.

  #pursue(): void {
    if (this.#means.locks) this.#pursueLock();
    else this.#pursueLease();
  }

  #pursueLock(): void {
    if (this.#isDue() && !this.#isProbing) {
      this.#isProbing = true;
      this.#act({ type: 'probe' });
    }
    const silent = Math.max(this.#since, this.#watch.signAt) + this.#patienceMs + this.#lag;
    const end = this.#means.channel ? silent : this.#since + RELOAD_MS;
    if (this.#now < end) return this.#later(end);
    const holder = this.#watch.lease?.holder ?? '';
    if (!this.#means.channel || this.#robbed.includes(holder)) return this.#giveUp();
    if (this.#isUnanswered() && !this.#isProbing) this.#steal(holder);
  }

  #steal(holder: string): void {
    this.#robbed.push(holder);
    if (this.#robbed.length > ROBBED_MAX) this.#robbed.shift();
    this.#isProbing = true;
    this.#since = this.#now;
    this.#doubtAt = undefined;
    this.#act({ type: 'steal' });
  }

  #pursueLease(): void {
    const isDue = this.#isDue();
    const { lease, staleAt } = this.#watch;
    // Our own is of a time before; we would be hosting.
    if (!lease?.holder || lease.holder === this.#id) {
      if (isDue) this.#claim();
    } else if (this.#now < staleAt) {
      this.#later(staleAt);
    } else if (this.#isUnanswered(this.#lag)) {
      this.#claim();
    }
  }

  /** Whether it is time to try; if so, asks as well. */
  #isDue(): boolean {
    const isDue = this.#now >= this.#tryAt;
    if (isDue) {
      if (this.#now > this.#since) this.#ask();
      this.#tryAt = this.#now + this.#retryMs;
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
    }
    this.#later(this.#tryAt);
    return isDue;
  }

  #lock(state: 'granted' | 'refused' | 'lost'): void {
    const isHosting = this.#phase === 'hosting';
    if (state === 'lost') return isHosting ? this.#stepDown('another tab took the lock, because this one was silent') : undefined;
    this.#isProbing = false;
    if (state === 'refused' || isHosting) return;
    if (this.#phase === 'seeking' && this.#isShown) this.#lead((this.#watch.lease?.epoch ?? 0) + 1);
    else this.#act({ type: 'release' });
  }

  // Claiming: without locks.

  #claim(): void {
    this.#phase = 'claiming';
    this.#before = this.#watch.lease;
    this.#epoch = (this.#before?.epoch ?? 0) + 1;
    this.#settleAt = this.#now + SETTLE_MS;
    this.#renew();
    this.#later(this.#settleAt);
  }

  #settle(): void {
    if (this.#now < this.#settleAt) return this.#later(this.#settleAt);
    if (this.#watch.lease?.holder === this.#id) {
      this.#lead(this.#epoch);
      return this.#hold();
    }
    this.#seek();
    this.#pursue();
  }

  // Following.

  #here(hub: string): void {
    const isEcho = hub === this.#gone.hub && this.#now < this.#gone.until;
    if (isEcho || !this.#means.channel) return;
    switch (this.#phase) {
      case 'seeking': return this.#isShown ? this.#follow(hub) : undefined;
      case 'claiming':
        // So that its holder, who may be too busy to renew, finds its lease as it was.
        if (this.#before) this.#write(this.#before);
        return this.#follow(hub);
      case 'following':
        if (hub === this.#hub) return this.#heard();
        // Not at once: both answer one question, and then each answer would be a question more.
        this.#rivalAt = Math.min(this.#rivalAt, this.#heardAt + ANSWER_MS);
        return;
      case 'hosting': return hub === this.#hub ? this.#heard() : undefined;
      case 'idle': case 'closed':
    }
  }

  #follow(hub: string): void {
    this.#phase = 'following';
    this.#hub = hub;
    this.#heard();
    this.#act({ type: 'follow', hub });
  }

  #keepUp(): void {
    const doubtfulAt = Math.min(this.#watch.staleAt, this.#rivalAt);
    if (this.#doubtAt !== undefined || this.#now >= doubtfulAt) {
      if (this.#isUnanswered()) this.#lose('the hub does not answer any more');
      return;
    }
    // A hub that is busy may be silent for long. This is for the answers of others, which may have missed each other.
    if (this.#now >= this.#tryAt) {
      this.#tryAt = this.#now + this.#patienceMs;
      this.#ask();
    }
    this.#later(Math.min(doubtfulAt, this.#tryAt));
  }

  #lose(why: string): void {
    this.#forget();
    this.#phase = 'idle';
    this.#act({ type: 'lost', why });
  }

  #forget(): void {
    if (this.#hub) this.#gone = { hub: this.#hub, until: this.#now + ECHO_MS };
    this.#hub = '';
  }

  // Hosting.

  #lead(epoch: number): void {
    this.#phase = 'hosting';
    this.#hub = '';
    this.#epoch = epoch;
    this.#heard();
    this.#renew();
    this.#act({ type: 'host' });
  }

  #hold(): void {
    const { lease } = this.#watch;
    const isOurs = lease?.holder === this.#id;
    if (lease?.holder && !isOurs && lease.epoch >= this.#epoch) return this.#stepDown('another tab took over');
    const wedgedAt = this.#heardAt + this.#patienceMs * WEDGED_PATIENCES;
    if (this.#now < wedgedAt) this.#later(wedgedAt);
    else if (this.#isUnanswered()) {
      this.#retire();
      return this.#lose("the hub's worker has been silent for too long");
    }
    if (!this.#means.lease) return;
    if (!isOurs || this.#now >= this.#renewAt) this.#renew();
    this.#later(this.#renewAt);
  }

  #renew(): void {
    this.#renewAt = this.#now + this.#renewMs;
    this.#write({ holder: this.#id, epoch: this.#epoch, expires: this.#now + this.#renewMs * RENEWALS });
  }

  /** The hub that we have, or its worker, gave a sign of life. */
  #heard(): void {
    this.#heardAt = this.#now;
    this.#tryAt = this.#now + this.#patienceMs;
    this.#doubtAt = undefined;
    this.#rivalAt = Infinity;
    this.#watch.sign(this.#now);
  }

  #hosting(hub: string, epoch: number): void {
    if (this.#phase !== 'hosting') return this.#act({ type: 'unhost' });
    this.#hub = hub;
    this.#heard();
    if (epoch <= this.#epoch) return;
    this.#epoch = epoch;
    this.#renew();
  }

  #elsewhere(hub: string): void {
    if (this.#phase !== 'hosting') return;
    this.#resign();
    if (this.#means.channel) this.#follow(hub);
    else this.#giveUp();
  }

  #ended(): void {
    if (this.#phase !== 'hosting') return;
    this.#retire();
    this.#lose("the hub's worker has ended");
  }

  /** What stands in the lease is another's. */
  #stepDown(why: string): void {
    this.#stop();
    this.#lose(why);
  }

  /** Whatever was wrong with the hub here, another tab may do better. */
  #retire(): void {
    this.#resign();
    this.#restUntil = this.#now + HEAD_START_MS;
  }

  /** Hands over: whoever sees the free lease finds the lock released. */
  #resign(): void {
    this.#stop();
    this.#free();
    this.#forget();
  }

  #stop(): void {
    this.#act({ type: 'unhost' });
    if (this.#means.locks) this.#act({ type: 'release' });
  }

  #free(): void {
    const { lease } = this.#watch;
    if (!lease || lease.holder === this.#id) this.#write({ holder: '', epoch: this.#epoch, expires: this.#now });
  }

  // The last question.

  #doubt(): void {
    this.#isUnanswered();
  }

  /** Whether nothing was heard since the last question, which goes out now if it has not. */
  #isUnanswered(moreMs = 0): boolean {
    if (this.#doubtAt === undefined) {
      this.#doubtAt = this.#now;
      this.#ask();
    }
    const end = this.#doubtAt + ANSWER_MS + moreMs;
    if (this.#now < end) this.#later(end);
    return this.#now >= end;
  }

  #ask(): void {
    if (this.#means.channel) this.#act({ type: 'ask' });
  }

  #write(lease: Lease): void {
    if (!this.#means.lease) return;
    this.#watch.wrote(lease);
    this.#act({ type: 'write', lease });
  }

  #later(at: number): void {
    this.#wakeAt = Math.min(this.#wakeAt ?? Infinity, at);
  }

  #act(action: ElectionAction): void {
    this.#actions.push(action);
  }
}
