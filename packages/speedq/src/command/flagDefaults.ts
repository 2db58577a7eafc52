/** Flags that may be left out, and what help says of it. */
import * as Flag from "effect/cli/Flag"

/** A flag with a description that ends with the value it has when it is left out. */
export const defaulted =
  <V extends string | number>(description: string, value: V) =>
  <A>(flag: Flag.Flag<A> & (V extends A ? unknown : never)): Flag.Flag<A> =>
    flag.pipe(Flag.withDescription(`${description}; default: ${value}`), Flag.withDefault<A | V>(value)) as Flag.Flag<A>

/** A flag that may be given several times, or not at all. */
export const repeated = <A>(flag: Flag.Flag<A>): Flag.Flag<readonly A[]> =>
  flag.pipe(Flag.atLeast(0), Flag.withDefault<readonly A[]>([]))
