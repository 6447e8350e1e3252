/**
 * Runs the hub's fibers, each on a stack of its own where the browser has JSPI: there a statement that waits for a block, or whose slice
 * of time is over, is suspended in its middle, and the hub goes on with other things. Without JSPI a fiber runs through.
 * The worker script starts it and hands it to the host. It never decides which fiber runs, and never enters or resumes one while frames
 * of WebAssembly lie below: the stack that is put aside (`src/web/stack-switch.wat`) must be the fiber's alone.
 */
import stackSwitch from 'tabhub-stack-switch';
import type { Exports, Host, Shell } from 'tabhub-wasm';

/** `on`: where the browser has it. `off`: never. `bare`: without putting the stack aside, which must go wrong. */
export type Jspi = 'on' | 'off' | 'bare';

export interface Fibers extends Pick<Shell, 'run' | 'turn'> {
  /** The slot of the module's function table in which the function that suspends a fiber stands; 0 where there is none. */
  readonly suspend: number;
}

interface StackSwitch {
  suspend(id: number): void;
  suspend_bare(id: number): void;
}

/** `host` learns what became of a fiber it asked to run, and of its turn. */
export async function startFibers(hub: Exports, jspi: Jspi, host: Pick<Host, 'ran' | 'turn'>): Promise<Fibers> {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => host.turn();
  const suspended = new Map<number, () => void>();
  // It runs on the fiber's stack, which is left only once it has returned; and it must not throw, because C frames lie below.
  const suspend = await makeSuspend(hub, jspi, id => {
    queueMicrotask(() => host.ran(id));
    return new Promise(resume => suspended.set(id, resume));
  });
  const enter = suspend ? WebAssembly.promising(hub.run_fiber) : async (id: number) => hub.run_fiber(id);
  return {
    suspend,
    run(id) {
      const resume = suspended.get(id);
      suspended.delete(id);
      // Nobody catches a crash of the fiber here: the worker script does, as any that was not caught.
      if (!resume) return queueMicrotask(() => void enter(id).then(() => host.ran(id)));
      // What awaits a promise goes on in a microtask of its own.
      resume();
    },
    turn: () => port2.postMessage(null),
  };
}

/** Puts the function that suspends a fiber into the function table, where Rust can call it, and answers its slot. */
async function makeSuspend(hub: Exports, jspi: Jspi, wait: (id: number) => Promise<void>): Promise<number> {
  if (jspi === 'off' || !WebAssembly.Suspending) return 0;
  const bytes = Uint8Array.from(atob(stackSwitch), char => char.charCodeAt(0));
  const imports = { hub: hub as unknown as WebAssembly.ModuleImports, host: { suspend: new WebAssembly.Suspending(wait) } };
  const { instance } = await WebAssembly.instantiate(bytes, imports);
  const { suspend, suspend_bare } = instance.exports as unknown as StackSwitch;
  const table = hub.__indirect_function_table;
  const slot = table.grow(1);
  table.set(slot, jspi === 'bare' ? suspend_bare : suspend);
  return slot;
}
