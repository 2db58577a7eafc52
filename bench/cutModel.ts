/** A model with fewer layers: the real extents of a step, in the time that a measurement has. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Safetensors } from "@speedq/formats"
import { decodeModelConfig, modelTensors } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"

/** Writes the first `layers` of the tower's blocks and the decoder's layers of a model (as the hub has it or as `speedq init` makes it) into `to`, with all else. */
export const cutModel = async (from: string, to: string, layers: number): Promise<void> => {
  mkdirSync(to, { recursive: true })
  const file = join(from, "config.json")
  const config = JSON.parse(readFileSync(file, "utf8"))
  for (const tower of [config.llm_config, config.vision_config]) tower.num_hidden_layers = layers
  for (const name of readdirSync(from)) {
    if (!/safetensors/.test(name)) cpSync(join(from, name), join(to, name))
  }
  writeFileSync(join(to, "config.json"), JSON.stringify(config, undefined, 2))
  const program = Effect.gen(function* () {
    const { store } = yield* Safetensors.openModel(from)
    const sources = [...modelTensors(decodeModelConfig(config, file)).keys()].map((name) => {
      const { dtype, shape } = store.tensors.get(name)!
      return { name, dtype, shape, data: Effect.sync(() => store.read(name)) }
    })
    yield* Safetensors.writeModel(to, sources)
  })
  await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
}
