import * as Effect from "effect/Effect"
import { assert, it } from "vitest"
import { modelName } from "../src/models/modelName.ts"

it("names a model by its directory, an export in a run by run and format", () => {
  const names = {
    "models/InternVL3-1B": "InternVL3-1B",
    "models/1b-2bit/": "1b-2bit",
    "runs/mine/model/packed": "mine-packed",
    "runs/other/model/fake-quant/": "other-fake-quant",
    "models/InternVL3-1B/packed": "InternVL3-1B-packed"
  }
  for (const [directory, name] of Object.entries(names)) {
    assert.strictEqual(Effect.runSync(modelName(directory)), name)
  }
})
