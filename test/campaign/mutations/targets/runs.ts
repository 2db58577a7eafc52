/** Files of runs: recipes, records, events, manifests, saved states. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { readText } from "@speedq/formats"
import { openSaved, Recipe, readManifest, renderReport, runReport, status } from "@speedq/pipeline"
import { stages } from "@speedq/stages"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import type { Json } from "effect/Schema"
import { script } from "../../../../packages/pipeline/src/report/script.ts"
import { decodeRecipe, readJson } from "../../../../packages/speedq/src/recipes/loadRecipe.ts"
import { filesOf, nothingTold, runToyHere } from "../../runs.ts"
import type { MakeTarget } from "../Target.ts"
import { eachOf, filesIn } from "./models.ts"

/** One set of services for all cases: building them for each takes longer than most readings. */
const services = await ManagedRuntime.make(NodeServices.layer).context()
const provided = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof NodeServices.layer>>) =>
  Effect.provideContext(effect, services)

export const recipe: MakeTarget = () => ({
  name: "recipe",
  samples: eachOf(filesIn("configs", /^(?!.*(ablation|confidence|table)).*\.json$/), "recipe.json"),
  read: (directory) =>
    provided(
      Effect.flatMap(readJson(join(directory, "recipe.json")), (json) => Effect.asVoid(Recipe.decode(stages, json)))
    )
})

/** A line is the text behind one `--set`. */
const settingLines = [
  "seed=3",
  "model=models/InternVL3-1B",
  "memory.limit=4GiB",
  "name=a b",
  "stages[2].iterations=3",
  "04-evaluate-3.batch=8",
  'train-projector.data={"meta":"x.json"}',
  "schemes.w2g16[0].with.bits=4",
  "evaluate-2.nearest[3]=w2g16"
]

export const setting: MakeTarget = () => {
  const nano: Json = JSON.parse(readFileSync("configs/nano-2bit.json", "utf8"))
  return {
    name: "--set",
    samples: settingLines.map((line) => ({ "line.set": Buffer.from(line) })),
    read: (directory) =>
      Effect.flatMap(readText(join(directory, "line.set")), (line) => decodeRecipe(nano, [line], "")).pipe(
        Effect.ensuring(Effect.sync(checkObjects)),
        Effect.asVoid,
        provided
      )
  }
}

/** Every object has what is set in their common one. */
const checkObjects = () => {
  const added = Object.keys(Object.prototype)
  if (added.length > 0) throw new Error(`every object has ${added.join(", ")}`)
}

/** A run that stopped in its second stage. */
const stoppedRun = async (scratch: string) => {
  const directory = join(scratch, "run")
  await runToyHere(directory, nothingTold(), { failAt: { label: "toy-projector", step: 4 } })
  return Object.fromEntries(filesOf(directory))
}

/** What a report must not hold besides its own script. */
const scripted = /<script|onerror=|<img src="(?!data:image\/(png|jpeg|webp);base64,)/i

export const run: MakeTarget = async (scratch) => ({
  name: "run",
  samples: [await stoppedRun(scratch)],
  changed: /^(run\.json|events\.jsonl|stages\/.*\.json)$/,
  read: (directory) =>
    Effect.gen(function* () {
      yield* status(directory)
      const report = yield* runReport(directory)
      if (Option.isNone(report)) return
      // Its own script is no text of the run's files.
      const page = renderReport(report.value).replace(`<script>${script}</script>`, "")
      return scripted.test(page.replaceAll(/<pre>.*?<\/pre>/gs, "")) ? "the report has another script" : undefined
    }).pipe(provided)
})

export const manifest: MakeTarget = async (scratch) => {
  const files = await stoppedRun(scratch)
  const bytes = files["stages/02-toy-projector/manifest.json"]!
  const written = JSON.stringify(JSON.parse(new TextDecoder().decode(bytes)).manifest)
  return {
    name: "manifest",
    samples: [{ "manifest.json": bytes }],
    read: (directory) =>
      Effect.map(readManifest(directory), (found) =>
        Option.isNone(found) || JSON.stringify(found.value.manifest) === written
          ? undefined
          : "a manifest is taken that nobody wrote"
      ).pipe(provided)
  }
}

export const savedState: MakeTarget = async (scratch) => {
  const files = Object.entries(await stoppedRun(scratch)).filter(([name]) => /step-\d+\.safetensors$/.test(name))
  return {
    name: "saved state",
    samples: files.map(([, bytes]) => ({ "state.safetensors": bytes })),
    read: (directory) => Effect.asVoid(Effect.scoped(openSaved(join(directory, "state.safetensors"))))
  }
}
