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

/** Loaders of libvips for formats that are not read, as it names their classes; those that a build has not are ignored. */
const otherLoaders = [
  ...[
    "Analyze",
    "Csv",
    "DcRaw",
    "Fits",
    "Heif",
    "Jp2k",
    "Jxl",
    "Magick",
    "Magick7",
    "Mat",
    "Matrix",
    "Nifti",
    "Openexr"
  ],
  ...["Openslide", "Pdf", "Ppm", "Rad", "Raw", "Svg", "Uhdr", "Vips"]
].map((name) => `VipsForeignLoad${name}`)

/**
 * Loaders of other formats are switched off for the process: a picture from outside reaches none of them (SVG can take gigabytes). Those
 * that are needed are never off, not for a moment: another thread may be decoding while this one starts.
 */
export const withoutOthers = <S extends Pick<typeof SharpModule, "block">>(sharp: S): S => {
  sharp.block({ operation: otherLoaders })
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
