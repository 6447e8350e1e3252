/** The glue that wasm-bindgen writes at build time from `src/web/mod.rs`; the build resolves the name. */
declare module 'tabhub-wasm' {
  export function initSync(options: { module: WebAssembly.Module }): Exports;
  /** What the module itself exports: of it, what `fibers.ts` needs. */
  export interface Exports {
    readonly memory: WebAssembly.Memory;
    readonly __stack_pointer: WebAssembly.Global;
    readonly __indirect_function_table: WebAssembly.Table;
    run_fiber(id: number): void;
    alloc_stack_copy(bytes: number): number;
    free_stack_copy(copy: number, bytes: number): void;
  }
  /** What the worker script does for the host. */
  export interface Shell {
    panicked(message: string): void;
    ended(): void;
    destroy(): void;
    send(port: number, message: Uint8Array): void;
    close(port: number): void;
    run(fiber: number): void;
    turn(): void;
  }
  export class Host {
    static start(
      name: string, instance: string, seed: bigint, suspend: number, slice_ms: number | undefined, steps: number | undefined, shell: Shell,
    ): Host;
    connect(port: number): void;
    message(port: number, message: Uint8Array): void;
    ran(fiber: number): void;
    turn(): void;
    finish(): void;
    gone(port: number): void;
  }
}

/** `src/web/stack-switch.wat`, assembled, in base64; the build resolves the name. */
declare module 'tabhub-stack-switch' {
  const base64: string;
  export default base64;
}

/** JavaScript Promise Integration (JSPI), which TypeScript does not know yet. */
declare namespace WebAssembly {
  const Suspending: undefined | { new (wait: (id: number) => Promise<void>): ImportValue };
  function promising(enter: (id: number) => void): (id: number) => Promise<void>;
}
