/** Files of runs: recipes, records, events, manifests, saved states. */
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { openSaved, Recipe, readManifest, renderReport, runReport, status } from "@speedq/pipeline"
import { stages } from "@speedq/stages"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import { script } from "../../../../packages/pipeline/src/report/script.ts"
import { readJson } from "../../../../packages/speedq/src/recipes/loadRecipe.ts"
import { filesOf, nothingTold, runToyHere } from "../../runs.ts"
import type { MakeTarget } from "../Target.ts"
import { eachOf, filesIn } from "./models.ts"

/** One set of services for all cases: building them for each takes longer than most readings. */
const services = await ManagedRuntime.make(NodeServices.layer).context()
const provided = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof NodeServices.layer>>) =>
  Effect.provideContext(effect, services)

export const recipe: MakeTarget = () => ({
  name: "recipe",
  samples: eachOf(filesIn("configs", /^(?!.*(ablation|confidence)).*\.json$/), "recipe.json"),
  read: (directory) =>
    provided(
      Effect.flatMap(readJson(join(directory, "recipe.json")), (json) => Effect.asVoid(Recipe.decode(stages, json)))
    )
})

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
