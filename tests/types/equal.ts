/** Fails to compile where the two are not one type, `any` included. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

export function same<A, B>(..._: Equal<A, B> extends true ? [] : ['these types differ', A, B]): void {}
