/** Text, pictures, several pictures, videos and broken records in one mixture: every stage ends, says what it dropped, and continues to the same bits. */
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Safetensors, typedView } from "@speedq/formats"
import { RunEvents, StageFailed } from "@speedq/pipeline"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { evaluation, eventsOfKind, makeNanoRuns, nanoData, type Recording, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"
import { runNano } from "./support/nanoProcess.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("mixed", runs)

const picture = (number: number) => `images/${String(number).padStart(4, "0")}.png`
const turns = (question: string, answer = "red") => [
  { from: "human", value: question },
  { from: "gpt", value: answer }
]
const text = (n: number) => ({ conversations: turns(`Say the number ${n}.`, String(n)) })
const one = (n: number) => ({ image: picture(n), conversations: turns("<image>\nWhat color is the north object?") })
const several = (n: number) => ({
  image: [picture(n), picture(n + 1)],
  conversations: turns("<image>\n<image>\nWhat color is the north object in the second?")
})

const each = 5

/** A data set of its own files, which begins with the given records. */
const ownData = (name: string, records: readonly (object | string)[]) => {
  const directory = join(root, name)
  mkdirSync(join(directory, "images"), { recursive: true })
  for (let n = 1; n <= 2 * each + 1; n++) copyFileSync(join(nanoData, picture(n)), join(directory, picture(n)))
  const lines = records.map((record) => (typeof record === "string" ? record : JSON.stringify(record)))
  writeFileSync(join(directory, "mixed.jsonl"), lines.join("\n"))
  const meta = join(directory, "mixed.json")
  writeFileSync(meta, JSON.stringify({ mixed: { root: directory, annotation: "mixed.jsonl" } }))
  return { directory, meta }
}

const video = { video: "frames", conversations: turns("<video>\nWhat color is the north object?") }

/** A fifth of each kind, in turn; every fifth record is broken, each in a way of its own. */
const mixture = (name: string, more: readonly object[] = []) => {
  const broken = [
    "{ not json",
    { image: "images/none.png", conversations: turns("<image>\nWhat?") },
    { image: "images/cut.png", conversations: turns("<image>\nWhat?") },
    { image: "images/empty.png", conversations: turns("<image>\nWhat?") },
    { image: [picture(1), picture(2)], conversations: turns("<image>\nWhat?") }
  ]
  const records = broken.flatMap((record, n) => [text(n), one(n + 1), several(n + 1), video, record])
  const data = ownData(name, [...records, ...more])
  writeFileSync(join(data.directory, "images/cut.png"), readFileSync(join(nanoData, picture(1))).subarray(0, 200))
  writeFileSync(join(data.directory, "images/empty.png"), "")
  // A folder of frames is a video.
  mkdirSync(join(data.directory, "frames"))
  for (let n = 1; n <= 10; n++) copyFileSync(join(nanoData, picture(n)), join(data.directory, "frames", `${n}.png`))
  return data
}
const brokenLines = [5, 10, 15, 20, 25]

const recipe = (meta: string, stages?: readonly object[]) => {
  const data = { meta, onError: "substitute", frames: { min: 2, max: 2 } }
  const trained = { data, batch: 2, accumulation: 2, maxSteps: 7 }
  return {
    ...{ version: 1, name: "mixed", model, seed: 7, save: { everySteps: 2 } },
    stages: stages ?? [
      { ...shortStages.adaround, iterations: 4 },
      { ...shortStages.projector, ...trained },
      { ...shortStages.autoclip, calibration: data, documents: 25 },
      { ...shortStages.qat, ...trained },
      { use: "export", format: "packed" },
      evaluation("mixed")
    ]
  }
}
const jointly = (meta: string) =>
  recipe(meta, [
    {
      ...shortStages.qat,
      ...{
        use: "joint-qat",
        data: { meta, onError: "substitute", frames: { min: 2, max: 2 } },
        batch: 2,
        accumulation: 2,
        maxSteps: 7
      }
    }
  ])

const succeeded = (recording: Recording): Recording => {
  if (Exit.isFailure(recording.exit)) throw Cause.squash(recording.exit.cause)
  return recording
}

/** The lines of records that a stage's report says were replaced, and how often. */
const replacedIn = (directory: string, place: string): ReadonlyMap<number, number> => {
  const sections: ReadonlyArray<{
    readonly title: string
    readonly rows?: ReadonlyArray<ReadonlyArray<string | number>>
  }> = JSON.parse(readFileSync(join(directory, "stages", place, "report.json"), "utf8"))
  const { rows = [] } = sections.find(({ title }) => title.startsWith("Records that were replaced")) ?? {}
  const times = new Map<number, number>()
  for (const [record, why, by, count] of rows) {
    assert.isNotEmpty(String(why))
    const line = Number(/mixed\.jsonl:(\d+)$/.exec(String(record))?.[1])
    assert.notInclude(brokenLines, Number(/mixed\.jsonl:(\d+)$/.exec(String(by))?.[1]))
    times.set(line, (times.get(line) ?? 0) + Number(count))
  }
  return times
}

describe("a fifth each of text, pictures, several pictures, videos and broken records", () => {
  it("every stage ends, says exactly what it dropped, and continues to the same bits after kills", async () => {
    const { meta } = mixture("fifths")
    const [whole, killed, file] = [join(root, "whole"), join(root, "killed"), join(root, "recipe.json")]
    writeFileSync(file, JSON.stringify(recipe(meta)))
    const undisturbed = await runNano(whole, file)
    assert.strictEqual(undisturbed.code, 0, undisturbed.stderr)
    // A pass over all 25 records takes seven steps of four: each broken one is asked for once, some are drawn in its place besides.
    for (const place of ["02-train-projector", "03-autoclip", "04-qat"]) {
      const replaced = replacedIn(whole, place)
      assert.sameMembers([...replaced.keys()], brokenLines, place)
    }
    for (const at of [/^02-train-projector 3$/m, /^03-autoclip 1$/m, /^04-qat 5$/m, /^06-evaluate 2$/m]) {
      const { signal, stderr } = await runNano(killed, file, { kill: { at, signal: "SIGKILL" } })
      assert.strictEqual(signal, "SIGKILL", stderr)
    }
    assert.strictEqual((await runNano(killed, file)).code, 0)
    assert.deepStrictEqual(resultsOf(killed), resultsOf(whole))
  })

  it("so does training of everything at once", async () => {
    const { meta } = mixture("jointly")
    const [whole, interrupted] = [join(root, "joint"), join(root, "joint-interrupted")]
    succeeded(await runs.run(jointly(meta), whole))
    assert.sameMembers([...replacedIn(whole, "01-joint-qat").keys()], brokenLines)
    await runs.run(jointly(meta), interrupted, { stage: "01-joint-qat", step: 5 })
    succeeded(await runs.run(jointly(meta), interrupted))
    assert.deepStrictEqual(resultsOf(interrupted), resultsOf(whole))
  })

  const hasFfmpeg = spawnSync("ffmpeg", ["-version"]).status === 0
  it.skipIf(!hasFfmpeg)("a video file is one, too (needs ffmpeg)", async () => {
    const clip = { video: "clip.mkv", conversations: turns("<video>\nWhat color is the north object?") }
    const { directory, meta } = mixture("clip", [clip])
    const made = spawnSync("ffmpeg", [
      "-v",
      "error",
      "-f",
      "lavfi",
      "-i",
      "testsrc=size=64x64:rate=10:duration=2",
      join(directory, "clip.mkv")
    ])
    assert.strictEqual(made.status, 0, String(made.stderr))
    const stage = {
      ...shortStages.qat,
      data: { meta, onError: "substitute" },
      batch: 1,
      accumulation: 7,
      maxSteps: 3
    }
    succeeded(await runs.run(recipe(meta, [stage]), join(directory, "run")))
    assert.sameMembers([...replacedIn(join(directory, "run"), "01-qat").keys()], brokenLines)
  })
})

/** Trained numbers of the projector. */
const projectorOf = (directory: string, place: string) =>
  Effect.runSync(
    Effect.scoped(
      Effect.map(Safetensors.open(join(directory, "stages", place, "projector.safetensors")), ({ store }) =>
        [...store.tensors.keys()].sort().flatMap((name) => [...typedView("F32", store.read(name))])
      )
    )
  )

describe("text alone", () => {
  const lines = Array.from({ length: 6 }, (_, n) => text(n))
  const trained = (meta: string, more: object = {}) => ({
    data: { meta },
    batch: 1,
    accumulation: 2,
    maxSteps: 3,
    ...more
  })

  /** Options with which a step of Adam does not depend on the size of its gradient. */
  const exact = { warmupRatio: 0, maxNorm: 1e9, epsilon: 1e-30, weightDecay: 0 }

  it("gives a projector gradients of zero, beside which those of pictures are what they are", async () => {
    const only = ownData("text-only", lines)
    const first = { ...shortStages.adaround, iterations: 1 }
    const run = async (meta: string, more: object, name: string) => {
      const directory = join(root, name)
      succeeded(await runs.run(recipe(meta, [first, { ...shortStages.projector, ...trained(meta, more) }]), directory))
      return projectorOf(directory, "02-train-projector")
    }
    const still = await run(only.meta, { weightDecay: 0 }, "text-still")
    assert.deepStrictEqual(await run(only.meta, { weightDecay: 0, rematerialize: true }, "text-again"), still)
    const { meta } = ownData("text-and-picture", [text(1), one(2)])
    // Two micro-batches, one of them text: the mean gradient is half of the picture's, and Adam does not see a factor.
    const pictures = ownData("picture-alone", [one(2)])
    const mixed = await run(meta, { maxSteps: 1, ...exact, groupByLength: false }, "text-mixed")
    const alone = await run(pictures.meta, { maxSteps: 1, ...exact, accumulation: 1 }, "picture")
    let most = 0
    for (const [at, value] of mixed.entries()) most = Math.max(most, Math.abs(value - alone[at]!))
    assert.isBelow(most, 1e-6)
    assert.notDeepEqual(alone, still)
  })

  it("passes every other stage that trains, and the clipping search", async () => {
    const { meta } = ownData("text-elsewhere", lines)
    const stages = [
      { ...shortStages.autoclip, calibration: { meta }, documents: 4, sampleTokens: 32 },
      { ...shortStages.qat, ...trained(meta) },
      { ...shortStages.qat, ...trained(meta, { rematerialize: true, loss: { cakld: 0 } }) }
    ]
    succeeded(await runs.run(recipe(meta, stages), join(root, "text-stages")))
    const [joint] = jointly(meta).stages
    succeeded(await runs.run(recipe(meta, [{ ...joint, ...trained(meta) }]), join(root, "text-joint")))
  })

  it("without an answer measures no teacher", async () => {
    const { meta } = ownData("unanswered", [
      ...Array.from({ length: 4 }, (_, n) => ({ conversations: [{ from: "human", value: `What is ${n}?` }] })),
      text(1)
    ])
    const stage = {
      ...shortStages.qat,
      ...trained(meta, { groupByLength: false, data: { meta, percent: 0 } }),
      loss: { confidenceBatches: 1 }
    }
    const messages = await Promise.all(
      [1, 2, 3].map(async (seed) => {
        const { exit, entries } = await runs.run({ ...recipe(meta, [stage]), seed }, join(root, `unanswered-${seed}`))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.isEmpty(eventsOfKind(RunEvents.Warning, entries).filter(({ message }) => /NaN/.test(message)))
        return error instanceof StageFailed ? error.message : "succeeded"
      })
    )
    assert.match(messages.join("\n"), /nothing to learn from the first 1 samples \(1 have no answer/)
  })
})
