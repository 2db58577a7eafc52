/** Kills and losses of power at chosen moments of a recorded run and a recorded export. */
import "../packages/pipeline/test/toy/operations.ts"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import type { Operation } from "../packages/pipeline/test/toy/operations.ts"
import { Campaign } from "./campaign/Campaign.ts"
import { Random } from "./campaign/Random.ts"
import { emptyDirectory } from "./campaign/runs.ts"
import { Disk, type Loss, losses, writeImage } from "./campaign/storage/Disk.ts"
import type { Recorded } from "./campaign/storage/Recorded.ts"
import { recordedExport } from "./campaign/storage/recorded/export.ts"
import { recordedRun } from "./campaign/storage/recorded/run.ts"
import { Signatures } from "./campaign/storage/Signatures.ts"

const folder = mkdtempSync(join(tmpdir(), "speedq-campaign-test-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** The images of a disk before, within and after each operation that is chosen, those of the same files once. */
function* momentsOf(work: Recorded, isChosen: (operation: Operation) => boolean, loss: Loss) {
  const disk = new Disk(work.root)
  const [signatures, seen] = [new Signatures(), new Set<string>()]
  const image = (index: number) => {
    const image = disk.after(loss, new Random(1, index))
    const isNew = !seen.has(signatures.of(image))
    seen.add(signatures.of(image))
    return isNew ? [{ image, index }] : []
  }
  for (const [index, operation] of work.operations.entries()) {
    const chosen = isChosen(operation)
    if (chosen) yield* image(index)
    if (chosen && operation.kind === "write") {
      disk.apply({ ...operation, bytes: operation.bytes.subarray(0, operation.bytes.length >> 1) })
      yield* image(index)
    }
    disk.apply(operation)
    if (chosen) yield* image(index)
  }
}

describe("killed, or without power, at a chosen moment", () => {
  const campaign = new Campaign({ seed: 1, folder, say: () => {} })
  afterAll(() => campaign.close())

  it("before, within and after each change of a manifest or a state: what was said to be saved is there, and the run goes on to the same bytes", async () => {
    const work = await recordedRun(campaign)
    const isChosen = ({ path, ...operation }: Operation) =>
      /(manifest(\.copy)?\.json|step-\d+\.safetensors)/.test("to" in operation ? operation.to : path)
    let moments = 0
    for (const { image, index } of momentsOf(work, isChosen, "nothing")) {
      moments++
      assert.isUndefined(await work.wrong(image, index, "nothing"))
      if (moments % 3 > 0) continue
      const directory = emptyDirectory(campaign.scratch, "killed")
      writeImage(image, directory)
      assert.isUndefined(await work.wrongAfter(directory, index))
    }
    assert.isAbove(moments, 100)
  })

  it("between the renames of an export and their flushes: its description is of whole files, or not there", async () => {
    const work = await recordedExport(campaign)
    for (const loss of losses) {
      let moments = 0
      for (const { image, index } of momentsOf(work, ({ kind }) => kind === "rename", loss)) {
        moments++
        assert.isUndefined(await work.wrong(image, index, loss), loss)
        const directory = emptyDirectory(campaign.scratch, "exported")
        writeImage(image, directory)
        assert.isUndefined(await work.wrongAfter(directory, index), loss)
      }
      assert.isAbove(moments, 0)
    }
  })
})
