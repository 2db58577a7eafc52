/** `index.json` of a packed model on a web server: its files, cut into parts that static hosts take, each with its digest. */
import * as Schema from "effect/Schema"

const Bytes = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
/** The name of a file beside the index. */
const Name = Schema.String.check(Schema.isPattern(/^[^/\\]+$/))

const ModelPart = Schema.Struct({
  file: Name,
  bytes: Bytes,
  sha256: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))
})
export type ModelPart = typeof ModelPart.Type

const ModelFile = Schema.Struct({ name: Name, parts: Schema.NonEmptyArray(ModelPart) })
export type ModelFile = typeof ModelFile.Type

export const ModelIndex = Schema.Struct({
  version: Schema.Literal(1),
  /** What the page calls the model. */
  name: Schema.String,
  files: Schema.NonEmptyArray(ModelFile)
})
export type ModelIndex = typeof ModelIndex.Type

/** Bytes of a part at most: some hosts of static files refuse more than 25 MiB. */
export const partBytes = 24 * 2 ** 20

/** Every part of every file. */
export const partsOf = ({ files }: ModelIndex): readonly ModelPart[] => files.flatMap(({ parts }) => parts)

export const bytesOf = (index: ModelIndex): number => partsOf(index).reduce((sum, { bytes }) => sum + bytes, 0)

/** Where the index and the parts are, seen from the page. */
export const modelFolder = "model"
export const indexName = "index.json"
