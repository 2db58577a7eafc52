/** A benchmark's file that changes while a run goes on: answers stand as long as their questions do, finished or not. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { PreflightFailed, RunEvents, StageFailed } from "@speedq/pipeline"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { eventsOfKind, makeNanoRuns, nanoData, type Recording } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("changed-benchmark", runs)

const [header = "", ...questions] = readFileSync(join(nanoData, "evaluation/short.tsv"), "utf8").split("\n").slice(0, 7)
type Change = (picture: Buffer) => Uint8Array
/** The row with its picture, its last cell, changed. */
const withPicture = (row: string, change: Change): string => {
  const [picture = "", ...others] = row.split("\t").toReversed()
  const changed = Buffer.from(change(Buffer.from(picture, "base64"))).toString("base64")
  return [...others.toReversed(), changed].join("\t")
}
/** Damaged where neither its first nor its last bytes show it. */
const damaged: Change = (picture) => {
  const middle = Math.floor(picture.length / 2)
  picture.fill(0, middle, middle + 8)
  return picture
}
const truncated: Change = (picture) => picture.subarray(0, picture.length / 2)

/** Runs that evaluate six rows, a row a step, of a file that each of them writes. */
const benchmark = (name: string, more: object = {}) => {
  const [directory, data] = [join(root, name), join(root, `${name}.tsv`)]
  const stage = { use: "evaluate", title: "full", benchmarks: [{ name: "nano", data }], divergence: 3, ...more }
  const recipe = { version: 1, name, model, seed: 1, stages: [stage] }
  return {
    directory,
    data,
    run: (rows: readonly string[], into = directory) => {
      writeFileSync(data, [header, ...rows, ""].join("\n"))
      return runs.run(recipe, into)
    }
  }
}
const failureOf = ({ exit }: Recording): { readonly message: string } => {
  assert.isTrue(Exit.isFailure(exit))
  return Exit.isFailure(exit) ? (Cause.squash(exit.cause) as StageFailed) : assert.fail()
}
const succeeded = (recording: Recording): Recording => {
  if (Exit.isFailure(recording.exit)) throw Cause.squash(recording.exit.cause)
  return recording
}
const startOf = ({ entries }: Recording) => eventsOfKind(RunEvents.StageStarted, entries).map(({ from }) => from)
const stepsOf = ({ entries }: Recording) => eventsOfKind(RunEvents.StepDone, entries).length
/** All that a run leaves, but for what names the run and the file. */
const artefacts = (directory: string) =>
  Object.fromEntries(Object.entries(resultsOf(directory)).filter(([file]) => /evaluations|\.tsv|answers/.test(file)))

describe("an evaluation that a picture stops", () => {
  it("asks all other rows first, names the row, and goes on to the result of a good file when it is repaired", async () => {
    const { run, data, directory } = benchmark("repaired")
    const bad = questions.with(3, withPicture(questions[3]!, damaged))
    const error = failureOf(await run(bad))
    assert.instanceOf(error, StageFailed)
    assert.include(error.message, `stopped at step 5 of 6`)
    assert.include(error.message, `${data}, row 4 (index 3), column "image": image: not an image that can be read`)
    assert.include(error.message, "Step 5 is saved: the same command continues after it.")
    // The same again: nothing but the bad row is asked.
    assert.strictEqual(stepsOf(await run(bad)), 0)

    const continued = succeeded(await run(questions))
    assert.deepStrictEqual([startOf(continued), stepsOf(continued)], [[5], 1])
    const [changed] = eventsOfKind(RunEvents.DataChanged, continued.entries)
    assert.strictEqual(changed?.detail, "5 answers stand")
    assert.isEmpty(eventsOfKind(RunEvents.StageSuperseded, continued.entries))
    const fresh = join(root, "repaired-fresh")
    succeeded(await run(questions, fresh))
    assert.deepStrictEqual(artefacts(directory), artefacts(fresh))
    const manifest = (of: string) => JSON.parse(readFileSync(join(of, "stages/01-evaluate/manifest.json"), "utf8"))
    // It is the result of the file as it is now, whatever came before.
    assert.strictEqual(manifest(directory).manifest.key, manifest(fresh).manifest.key)
  })

  it("asks changed rows again, drops those that are gone, and asks the good ones of a batch", async () => {
    const { run, directory } = benchmark("several", { batch: 4, divergence: 0 })
    assert.include(
      failureOf(await run(questions.with(1, withPicture(questions[1]!, damaged)))).message,
      "row 2 (index 1)"
    )
    const changed = questions.with(0, questions[0]!.replace("south", "west")).toSpliced(1, 1)
    const continued = succeeded(await run(changed))
    assert.strictEqual(
      eventsOfKind(RunEvents.DataChanged, continued.entries)[0]?.detail,
      "4 answers stand, 1 rows changed and are asked again"
    )
    const fresh = join(root, "several-fresh")
    succeeded(await run(changed, fresh))
    assert.deepStrictEqual(artefacts(directory), artefacts(fresh))
  })

  it("starts again with another model", async () => {
    const { run } = benchmark("other-model")
    failureOf(await run(questions.with(3, withPicture(questions[3]!, damaged))))
    const config = join(model, "config.json")
    const before = readFileSync(config, "utf8")
    writeFileSync(config, `${before}\n`)
    const other = succeeded(await run(questions))
    writeFileSync(config, before)
    assert.deepStrictEqual([startOf(other), stepsOf(other)], [[0], 6])
  })
})

describe("a finished evaluation of a file that changed", () => {
  it("is made anew from the answers to questions that stayed the same", async () => {
    const { run, directory } = benchmark("finished")
    succeeded(await run(questions))
    const changed = questions.with(5, questions[5]!.replace("northeast", "north")).slice(1)
    const again = succeeded(await run(changed))
    assert.strictEqual(eventsOfKind(RunEvents.StageSuperseded, again.entries).length, 1)
    // Of fewer rows, others are those whose divergence is measured: one more step.
    assert.deepStrictEqual([startOf(again), stepsOf(again)], [[3], 2])
    const said = eventsOfKind(RunEvents.Warning, again.entries).map(({ message }) => message)
    assert.include(said, "4 answers stand, 1 rows changed and are asked again, 1 are no longer there")
    const fresh = join(root, "finished-fresh")
    succeeded(await run(changed, fresh))
    assert.deepStrictEqual(artefacts(directory), artefacts(fresh))
  })

  it("measures the divergence again where an expected answer changed, and keeps the model's own", async () => {
    const { run, directory } = benchmark("labels", { divergence: 6 })
    succeeded(await run(questions))
    const cells = questions[2]!.split("\t")
    const changed = questions.with(2, cells.with(6, cells[6] === "red" ? "blue" : "red").join("\t"))
    const again = succeeded(await run(changed))
    assert.deepStrictEqual([startOf(again), stepsOf(again)], [[5], 1])
    const fresh = join(root, "labels-fresh")
    succeeded(await run(changed, fresh))
    assert.deepStrictEqual(artefacts(directory), artefacts(fresh))
  })
})

describe("a finished evaluation whose pictures are files", () => {
  it("is made anew where one of them changed, and asks about that one alone", async () => {
    const folder = join(root, "pictures")
    mkdirSync(folder)
    const pictureOf = (row: string) => Buffer.from(row.split("\t").at(-1)!, "base64")
    for (const [at, row] of questions.entries()) writeFileSync(join(folder, `${at}.png`), pictureOf(row))
    const rows = questions.map((row, at) => [...row.split("\t").slice(0, -1), `pictures/${at}.png`].join("\t"))
    const data = join(root, "named.tsv")
    writeFileSync(data, [header.replace(/image$/, "image_path"), ...rows, ""].join("\n"))
    const stage = { use: "evaluate", title: "full", benchmarks: [{ name: "nano", data, limit: 5 }] }
    const recipe = { version: 1, name: "named", model, seed: 1, stages: [stage] }
    const run = () => runs.run(recipe, join(root, "named")).then(succeeded)
    assert.strictEqual(stepsOf(await run()), 5)
    // That of a row which is not asked is no data.
    writeFileSync(join(folder, "5.png"), pictureOf(questions[0]!))
    assert.strictEqual(eventsOfKind(RunEvents.StageReused, (await run()).entries).length, 1)
    writeFileSync(join(folder, "2.png"), pictureOf(questions[0]!))
    const again = await run()
    assert.deepStrictEqual([startOf(again), stepsOf(again)], [[4], 1])
  })
})

describe("a plan", () => {
  it("names rows whose pictures are cut off or none", async () => {
    const { run, data } = benchmark("planned")
    const none: Change = () => Buffer.from("no picture ".repeat(10))
    const error = failureOf(
      await run(questions.with(2, withPicture(questions[2]!, truncated)).with(4, withPicture(questions[4]!, none)))
    )
    assert.instanceOf(error, PreflightFailed)
    assert.include(error.message, `evaluate: ${data}, row 3 (index 2), column "image": image: not an image that can be`)
    assert.include(error.message, "; 1 more cannot be asked: row 5 (index 4);")
  })
})
