/** What files call a model. */
import { basename, dirname, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { exportFormats } from "./exportFormats.ts"

/** The name of its directory; for an export that is called after its format, such as `runs/mine/model/packed`, also that of the run: `mine-packed`. */
export const modelName = Effect.fnUntraced(function* (directory: string) {
  const formats = (yield* exportFormats).map(({ id }) => id)
  const path = resolve(directory)
  const [name, above] = [basename(path), dirname(path)]
  if (!formats.includes(name)) return name
  return `${basename(basename(above) === "model" ? dirname(above) : above)}-${name}`
})
