/**
 * Mean and deviation that a model's pixels are normalized with, from the file of its image processor: preprocessor_config.json,
 * or since transformers 5 `image_processor` of processor_config.json. A model without them is refused: with those of another
 * model its pictures would be wrong, and nothing would say so.
 */
import { isThere, mostBytes, pathIn, readBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { imagenetStatistics, type PixelStatistics } from "../image/normalize.ts"
import { decodeJson } from "../internal/decodeJson.ts"
import { ModelConfigInvalid } from "./ModelErrors.ts"

const deviation = Schema.Finite.check(Schema.isGreaterThan(0))
const on = Schema.optionalKey(Schema.NullOr(Schema.Literal(true)))

/** 1/255 in any of the precisions that it is written in. */
const rescaleFactor = Schema.Finite.check(
  Schema.makeFilter((factor: number) => Math.abs(255 * factor - 1) < 1e-6 || "pixels are divided by 255 here")
)

/** What else a processor says is decided elsewhere; what is a literal here is what `normalizeTiles` does. */
const Processor = Schema.Struct({
  image_mean: Schema.Tuple([Schema.Finite, Schema.Finite, Schema.Finite]),
  image_std: Schema.Tuple([deviation, deviation, deviation]),
  do_normalize: on,
  do_rescale: on,
  rescale_factor: Schema.optionalKey(Schema.NullOr(rescaleFactor))
})

const old = { name: "preprocessor_config.json", schema: Processor }
const nested = {
  name: "processor_config.json",
  schema: Schema.Struct({ image_processor: Schema.optionalKey(Processor) })
}

interface Found {
  readonly file: string
  readonly statistics: PixelStatistics
}

const found = (file: string, { image_mean, image_std }: typeof Processor.Type): Found => ({
  file,
  statistics: { mean: image_mean, std: image_std }
})

const decoded = <S extends Schema.Decoder<unknown>>(
  file: string,
  schema: S
): Effect.Effect<S["Type"], ModelConfigInvalid> => {
  const invalid = (reason: string) => new ModelConfigInvalid({ file, reason })
  return readBytes(file, mostBytes.document).pipe(
    Effect.mapError(({ message }) => invalid(message)),
    Effect.flatMap((bytes) => decodeJson(bytes, schema, invalid))
  )
}

const same = (a: PixelStatistics, b: PixelStatistics): boolean =>
  [0, 1, 2].every((channel) => a.mean[channel] === b.mean[channel] && a.std[channel] === b.std[channel])

/** Reads them. Fails with ModelConfigInvalid: of another form, missing, or contradicting each other. */
export const readStatistics = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<PixelStatistics, ModelConfigInvalid> {
  const [oldFile, nestedFile] = [pathIn(directory, old.name), pathIn(directory, nested.name)]
  const all: Found[] = []
  if (isThere(nestedFile)) {
    const { image_processor } = yield* decoded(nestedFile, nested.schema)
    if (image_processor !== undefined) all.push(found(nestedFile, image_processor))
  }
  if (isThere(oldFile)) all.push(found(oldFile, yield* decoded(oldFile, old.schema)))
  const [chosen, other] = all
  if (chosen === undefined) {
    const { mean, std } = imagenetStatistics
    const reason = `it is not there, and no ${nested.name} with an image_processor is, so nothing says with which mean and deviation pixels are normalized; copy ${old.name} of the model that this one was made of. That of the released InternVL models has {"image_mean": [${mean.join(", ")}], "image_std": [${std.join(", ")}]}`
    return yield* new ModelConfigInvalid({ file: oldFile, reason })
  }
  if (other !== undefined && !same(chosen.statistics, other.statistics)) {
    const reason = `its image_mean and image_std are not those of ${other.file}; make them the same, or remove the file that is wrong`
    return yield* new ModelConfigInvalid({ file: chosen.file, reason })
  }
  return chosen.statistics
})
