;; Suspends a call of hub.wasm together with its stack. Where WebAssembly can be suspended (JSPI), the browser keeps the stack it manages
;; itself; the other one, which Rust and C keep in the module's memory, it knows nothing of, and the fiber that runs next would write over it.
;; So what is on it goes aside for as long as the call is suspended. hub-js/fibers.ts instantiates this, the build puts it into hub.js.
;;
;; It holds because every fiber begins, and goes on, with nothing else on the stack: its frames are all that lies in [sp, top).
(module
  (import "hub" "__stack_pointer" (global $sp (mut i32)))
  (import "hub" "memory" (memory 1))
  (import "hub" "alloc_stack_copy" (func $alloc (param i32) (result i32)))
  (import "hub" "free_stack_copy" (func $free (param i32 i32)))
  ;; Returns when the fiber with this number is resumed. It must never throw: C frames lie below.
  (import "host" "suspend" (func $suspend (param $fiber i32)))

  ;; The bytes of the largest stack that went aside.
  (global $largest (export "largest") (mut i32) (i32.const 0))
  ;; Where the empty stack begins; it grows downwards.
  (global $top (mut i32) (i32.const 0))
  (start $begin)
  (func $begin (global.set $top (global.get $sp)))

  (func (export "suspend") (param $fiber i32)
    (local $at i32) (local $bytes i32) (local $copy i32)
    (local.set $at (global.get $sp))
    (local.set $bytes (i32.sub (global.get $top) (local.get $at)))
    (if (i32.gt_u (local.get $bytes) (global.get $largest))
      (then (global.set $largest (local.get $bytes))))
    (local.set $copy (call $alloc (local.get $bytes)))
    (memory.copy (local.get $copy) (local.get $at) (local.get $bytes))
    (global.set $sp (global.get $top))
    (call $suspend (local.get $fiber))
    (memory.copy (local.get $at) (local.get $copy) (local.get $bytes))
    (global.set $sp (local.get $at))
    (call $free (local.get $copy) (local.get $bytes)))

  ;; The same without the switch, which must go wrong: the negative control of the tests.
  (func (export "suspend_bare") (param $fiber i32)
    (call $suspend (local.get $fiber))))
