/** The glue that wasm-bindgen writes at build time from `src/web/mod.rs`; the build resolves the name. */
declare module 'tabhub-wasm' {
  export default function init(options: { module_or_path: WebAssembly.Module }): Promise<unknown>;
  /** What the worker script does for the host. */
  export interface Shell {
    panicked(message: string): void;
    ended(): void;
    closed(port: MessagePort): void;
  }
  export class Host {
    static start(name: string, instance: string, seed: bigint, shell: Shell): Host;
    connect(port: MessagePort): void;
  }
}
