/** The codec of pictures. sharp is loaded when the first one is decoded or encoded, since text and tensors work without it. */
import { createRequire } from "node:module"
import * as Effect from "effect/Effect"
import type SharpModule from "sharp"
import { ImageCodecMissing } from "../Errors.ts"

const manifest: { readonly peerDependencies: { readonly sharp: string } } = createRequire(import.meta.url)(
  "../../package.json"
)

/** The module that `load` imports; what keeps it from loading is an ImageCodecMissing that says how to install it. */
export const codecFrom = <A>(load: () => Promise<{ readonly default: A }>): Effect.Effect<A, ImageCodecMissing> =>
  Effect.tryPromise({
    try: async () => (await load()).default,
    catch: (error) => {
      const said = error instanceof Error ? error.message : String(error)
      return new ImageCodecMissing({
        install: `npm install sharp@${manifest.peerDependencies.sharp}`,
        reason: said.trim().split("\n")[0] ?? ""
      })
    }
  })

const loaders = ["Jpeg", "Png", "Webp", "Nsgif", "Tiff"].map((name) => `VipsForeignLoad${name}`)

/** Loaders of other formats are switched off for the process: a picture from outside reaches none of them (SVG can take gigabytes). */
const withoutOthers = (sharp: typeof SharpModule): typeof SharpModule => {
  sharp.block({ operation: ["VipsForeignLoad"] })
  sharp.unblock({ operation: loaders })
  return sharp
}

export const loadSharp: Effect.Effect<typeof SharpModule, ImageCodecMissing> = Effect.runSync(
  Effect.cached(
    Effect.map(
      codecFrom(() => import("sharp")),
      withoutOthers
    )
  )
)
