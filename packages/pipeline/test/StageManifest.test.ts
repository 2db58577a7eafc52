/** A manifest names files of its run and no others: what it names is mended, moved and removed. */
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { assert } from "vitest"
import { readManifest } from "../src/checkpoints/StageManifest.ts"
import { canonicalJson } from "../src/json/canonicalJson.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"

const parts = { stage: "s", version: 1, config: {}, versions: {}, seed: 1, inputs: {}, data: "d" }
const record = (file: string) => ({ file, bytes: 1, sha256: "a" })

interface Named {
  readonly checkpoint?: string
  readonly artefact?: string
  readonly file?: string
  readonly copies?: string
}

/** A whole manifest that names these files. */
const manifestOf = ({
  checkpoint = "step-1",
  artefact = "a.safetensors",
  file = "report.json",
  copies = "c"
}: Named) => ({
  ...{ format: 2, key: "k", parts, builds: [], steps: 1 },
  checkpoints: [{ step: 1, ...record(checkpoint) }],
  finished: { steps: 1, artefacts: { a: record(artefact) }, files: [record(file)], copies: record(copies) }
})

const isRead = (named: Named) => {
  const manifest = manifestOf(named)
  const directory = temporaryDirectory()
  const sha256 = createHash("sha256").update(canonicalJson(manifest)).digest("hex")
  writeFileSync(join(directory, "manifest.json"), JSON.stringify({ sha256, manifest }))
  return Effect.map(readManifest(directory), Option.isSome)
}

describe("readManifest", () => {
  it.effect("takes files of the stage, and what it wrote elsewhere in the run", () =>
    Effect.gen(function* () {
      for (const named of [{}, { file: "../../model/packed/model.safetensors" }, { file: "a/../b..c" }]) {
        assert.isTrue(yield* isRead(named), JSON.stringify(named))
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("refuses files elsewhere", () =>
    Effect.gen(function* () {
      const outside = ["../../../x", "a/../../../../x", "/etc/passwd", "..\\..\\..\\x", "C:\\x", ""]
      for (const file of outside) assert.isFalse(yield* isRead({ file }), file)
      for (const file of [...outside, "..", "../x", "a/b"]) {
        assert.isFalse(yield* isRead({ checkpoint: file }), file)
        assert.isFalse(yield* isRead({ artefact: file }), file)
        assert.isFalse(yield* isRead({ copies: file }), file)
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
