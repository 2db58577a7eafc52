/**
 * Faults met by the stages of SPEED-Q, kill -9 in each of them included: each ends in one clear message or a stated fallback, and what is
 * continued ends with the same bytes. The campaign kills at random times.
 */
import { spawnSync } from "node:child_process"
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { RunEvents, stagesInJson } from "@speedq/pipeline"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { nextUint32, nextUniform } from "../../pipeline/test/toy/Lcg.ts"
import { pictureRecord, writeMiniData } from "./support/miniData.ts"
import {
  eachStage,
  eventsOfKind,
  makeNanoRuns,
  nanoData,
  type Recording,
  shortStages,
  writeNanoModel
} from "./support/nano.ts"
import { runNano } from "./support/nanoProcess.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-faults-"))
const runs = makeNanoRuns()
let model: string
let finished: Readonly<Record<string, string>>

const succeeded = ({ exit }: Recording) => {
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
}
const messageOf = ({ exit, entries }: Recording): string => {
  const [told, ...more] = eventsOfKind(RunEvents.RunFailed, entries)
  assert.isEmpty(more)
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.strictEqual(told?.message, error instanceof Error ? error.message : undefined)
  return told?.message ?? ""
}
const flipByte = (file: string) => {
  const bytes = readFileSync(file)
  bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 1
  writeFileSync(file, bytes)
}
const statesOf = (directory: string, stage: string) =>
  readdirSync(join(directory, "stages", stage))
    .filter((name) => name.startsWith("step-"))
    .sort()

beforeAll(async () => {
  model = await writeNanoModel(join(root, "model"))
  succeeded(await runs.run(eachStage(model), join(root, "whole")))
  finished = resultsOf(join(root, "whole"))
})
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

describe("a flipped byte", () => {
  it("in the newest state of any stage: the state before it is taken, with a warning", async () => {
    const directory = join(root, "flipped-states")
    for (const [stage, step] of [
      ["01-adaround-vit", 25],
      ["02-train-projector", 4],
      ["03-autoclip", 4],
      ["04-qat", 6],
      ["07-evaluate", 5]
    ] as const) {
      await runs.run(eachStage(model), directory, { stage, step })
      const [previous = "", newest = ""] = statesOf(directory, stage)
      flipByte(join(directory, "stages", stage, newest))
      // Interrupted again as soon as it stands where it stood.
      const { entries } = await runs.run(eachStage(model), directory, { stage, step })
      const [damage] = eventsOfKind(RunEvents.CheckpointDamaged, entries)
      assert.strictEqual(damage?.file, join("stages", stage, newest))
      const before = Number(/\d+/.exec(previous)?.[0])
      assert.strictEqual(damage.fallback, `continuing from step ${before}`)
      assert.strictEqual(eventsOfKind(RunEvents.StageStarted, entries)[0]?.from, before)
    }
    succeeded(await runs.run(eachStage(model), directory))
    assert.deepStrictEqual(resultsOf(directory), finished)
  })

  it("or a missing file in what is finished: exports are written again, tables come from their copies, no step is done again", async () => {
    const directory = join(root, "flipped-results")
    cpSync(join(root, "whole"), directory, { recursive: true })
    flipByte(join(directory, "model/packed/model.safetensors"))
    rmSync(join(directory, "model/fake-quant/config.json"))
    const [predictions = ""] = readdirSync(join(directory, "stages/07-evaluate")).filter((name) =>
      name.endsWith(".tsv")
    )
    flipByte(join(directory, "stages/07-evaluate", predictions))
    const recording = await runs.run(eachStage(model), directory)
    succeeded(recording)
    assert.deepStrictEqual(
      eventsOfKind(RunEvents.CheckpointDamaged, recording.entries).map(({ file, fallback }) => [file, fallback]),
      [
        ["model/fake-quant/config.json", "the stage runs again"],
        ["model/packed/model.safetensors", "the stage runs again"],
        [join("stages/07-evaluate", predictions), "it is made anew from its copy"]
      ]
    )
    assert.strictEqual(eventsOfKind(RunEvents.StageReused, recording.entries).length, 5)
    assert.deepStrictEqual(resultsOf(directory), finished)
  })
})

/** A copy of some pictures and a training set on them, of whose files one can vanish. */
const ownData = (name: string, extra: readonly string[] = []) => {
  const directory = join(root, name)
  mkdirSync(join(directory, "images"), { recursive: true })
  const records = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => pictureRecord(number))
  for (const { image = "" } of records) copyFileSync(join(nanoData, image), join(directory, image))
  const meta = writeMiniData(directory, [...records, ...extra])
  writeFileSync(meta, JSON.stringify({ mini: { root: directory, annotation: "mini.jsonl" } }))
  return {
    directory,
    meta,
    annotation: join(directory, "mini.jsonl"),
    lastImage: join(directory, records.at(-1)!.image!)
  }
}
const trainingOn = (meta: string) => ({
  ...eachStage(model),
  stages: [
    { ...shortStages.adaround, iterations: 2 },
    { ...shortStages.projector, data: { meta }, batch: 1, accumulation: 1, maxSteps: 8 }
  ]
})

describe("data", () => {
  it("an image that vanished is told before any work; back again, the run goes on", async () => {
    const { directory: data, meta, annotation, lastImage } = ownData("vanished")
    const directory = join(data, "run")
    renameSync(lastImage, `${lastImage}.away`)
    const message = messageOf(await runs.run(trainingOn(meta), directory))
    assert.match(message, /^the run cannot start:\n {2}02-train-projector: 1 pictures do not exist: /)
    assert.include(message, `${lastImage} (${annotation}:8); repair them`)
    assert.include(message, 'set data.onError to "substitute"')
    assert.isEmpty(readdirSync(join(directory, "stages")))
    renameSync(`${lastImage}.away`, lastImage)
    succeeded(await runs.run(trainingOn(meta), directory))
  })

  it("a malformed line is named with its file before any work; corrected, the run starts", async () => {
    const { directory: data, meta, annotation } = ownData("malformed", ["{ not json"])
    const directory = join(data, "run")
    const message = messageOf(await runs.run(trainingOn(meta), directory))
    assert.match(message, /^the run cannot start:\n {2}02-train-projector: 1 lines are no records: /)
    assert.include(message, `${annotation}:9: not JSON`)
    writeFileSync(annotation, readFileSync(annotation, "utf8").replace("\n{ not json", ""))
    succeeded(await runs.run(trainingOn(meta), directory))
  })

  it("a calibration image that vanished is named; back again, the begun stage goes on where it was", async () => {
    const { directory: data } = ownData("calibration")
    const directory = join(data, "run")
    const recipe = {
      ...eachStage(model),
      stages: [{ ...shortStages.adaround, images: join(data, "images"), count: 8, iterations: 10 }]
    }
    await runs.run(recipe, directory, { stage: "01-adaround-vit", step: 15 })
    const image = join(data, "images", readdirSync(join(data, "images"))[0]!)
    renameSync(image, join(dirname(data), "away.png"))
    writeFileSync(image, "not a picture")
    const message = messageOf(await runs.run(recipe, directory))
    assert.match(message, /^the run cannot start:\n {2}01-adaround-vit: 1 images of .* cannot be used/)
    assert.include(message, image)
    renameSync(join(dirname(data), "away.png"), image)
    const continued = await runs.run(recipe, directory)
    succeeded(continued)
    assert.strictEqual(eventsOfKind(RunEvents.StageStarted, continued.entries)[0]?.from, 15)
  })
})

/** Results but the records that name the build and the options of where activations are: a process of what was built wrote these. */
const withoutBuild = (results: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(results).filter(([file]) => !/(manifest(\.copy)?|quantization)\.json$/.test(file)))

/** Every stage of this recipe changes the file system more often. */
const fewestChanges = 100

describe("a process", () => {
  it("killed in a random change of the file system in each stage: continued, the files are the same bytes", async () => {
    const [directory, recipe] = [join(root, "killed"), join(root, "killed.json")]
    writeFileSync(recipe, JSON.stringify(eachStage(model)))
    const random = { state: 20261126 }
    for (const { place } of stagesInJson(eachStage(model))) {
      const change = 1 + Math.floor(nextUniform(random) * fewestChanges)
      const { signal, stdout } = await runNano(directory, recipe, { env: { CRASH_IN: `${place}:${change}` } })
      assert.strictEqual(signal, "SIGKILL", place)
      assert.strictEqual([...stdout.matchAll(/^(\S+) begins/gm)].at(-1)?.[1], place)
    }
    const { code, stderr } = await runNano(directory, recipe)
    assert.strictEqual(code, 0, stderr)
    assert.deepStrictEqual(withoutBuild(resultsOf(directory)), withoutBuild(finished))
  }, 600_000)
})

/** A command in a mount namespace of its own, which a user may have where the kernel lets him. */
const ownMounts = ["unshare", "--user", "--map-root-user", "--mount"]
const hasOwnMounts = (): boolean => {
  const [command = "", ...args] = [...ownMounts, "mount", "-t", "tmpfs", "tmpfs", root]
  return process.platform === "linux" && spawnSync(command, args).status === 0
}
/** Runs a command with a small disk at `disk`, in memory. It holds what is in `kept`, and is copied back there at the end. */
const onSmallDisk = (disk: string, kept: string): readonly string[] => {
  const script = `mount -t tmpfs -o size=24m tmpfs "$1" && cp -r "$2/." "$1" && disk=$1 kept=$2 && shift 2 || exit 99
"$@"; code=$?
rm -rf "$disk/filler" "$kept/run" && cp -r "$disk/." "$kept" && exit $code`
  return [...ownMounts, "sh", "-c", script, "sh", disk, kept]
}

describe("a disk", () => {
  it.skipIf(!hasOwnMounts())(
    "that becomes full in any stage ends in one message; with room again, the run goes on to the same bytes",
    async () => {
      const [disk, kept, recipe] = [join(root, "disk"), join(root, "kept"), join(root, "full.json")]
      for (const directory of [disk, kept]) mkdirSync(directory)
      // The activations of stage 1 do not fit in this little memory: they are on the disk too.
      const [first, ...others] = eachStage(model).stages
      const stages = [{ ...first, cache: "64 KiB" }, ...others]
      writeFileSync(recipe, JSON.stringify({ ...eachStage(model), stages }))
      const random = { state: 26112026 }
      for (const { place } of stagesInJson({ stages })) {
        // Pages of memory are what this disk is made of; some stages write no more than a few.
        const room = 4096 * (nextUint32(random) % 4)
        const { code, stderr } = await runNano(join(disk, "run"), recipe, {
          env: { FILL_IN: `${place}:${room}` },
          within: onSmallDisk(disk, kept)
        })
        assert.strictEqual(code, 1, `${place}: ${stderr}`)
        const errors = stderr.split("\n").filter((line) => /^error|^ {4}at /.test(line))
        assert.strictEqual(errors.length, 1, `${place}: ${stderr}`)
        assert.match(errors[0]!, /^error: stage \S+ stopped at step \d+ of \d+: .*(the disk is full|no space left)/)
      }
      const ended = await runNano(join(disk, "run"), recipe, { within: onSmallDisk(disk, kept) })
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.deepStrictEqual(withoutBuild(resultsOf(join(kept, "run"))), withoutBuild(finished))
    },
    600_000
  )
})
