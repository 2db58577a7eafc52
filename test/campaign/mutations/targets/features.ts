/** Features of frozen towers that earlier runs kept on disk. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import { openFeatureStore } from "../../../../packages/stages/src/features/FeatureStore.ts"
import { encodeRecord, type FeatureNumbers } from "../../../../packages/stages/src/features/featureRecord.ts"
import type { MakeTarget } from "../Target.ts"

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex")
const key = { tower: digestOf("a tower"), tile: digestOf("a tile") }
/** Exact in bf16. */
const values = Float32Array.from({ length: 48 }, (_, at) => at - 24)

const target =
  (numbers: FeatureNumbers): MakeTarget =>
  () => ({
    name: `features in ${numbers}`,
    samples: [{ [`${key.tower}/${key.tile}.features`]: encodeRecord(key, numbers, values) }],
    read: (directory) =>
      Effect.gen(function* () {
        const store = yield* openFeatureStore({ directory, limit: 2 ** 20, numbers, tell: () => Effect.void })
        const found = yield* store.find(key, values.length)
        if (found === undefined || found.every((value, at) => value === values[at])) return undefined
        return "numbers are found that nobody kept"
      })
  })

export const exact = target("f32")
export const rounded = target("bf16")
