/** What a run draws on a terminal of 60 columns. */
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { bundleOf } from "./support/program.ts"
import { ctrlC, hasPseudoTerminal, onTerminal } from "./support/pseudoTerminal.ts"
import { temporaryDirectory, toyProgram, writeRecipe } from "./support/toyProcess.ts"

const escapes = /\u001b\[\d*[A-Za-z]/g

describe.skipIf(!hasPseudoTerminal)("a run on a terminal of 60 columns", () => {
  const start = (env: NodeJS.ProcessEnv = {}) => {
    const directory = temporaryDirectory()
    const stages = [
      { use: "toy-vit", steps: 3 },
      { use: "toy-projector", steps: 500, pause: 20 }
    ]
    const recipe = writeRecipe(join(directory, "recipe.json"), stages, { save: { everySteps: 20 } })
    const args = [...bundleOf(toyProgram), join(directory, "run"), recipe]
    return onTerminal(args, { when: "02-toy-projector: saved step 20", type: ctrlC }, env)
  }

  it("draws lines that fit, and leaves a clean line for the prompt after Ctrl-C", async () => {
    const { code, text } = await start()
    assert.strictEqual(code, 130, text)
    const drawn = text.replaceAll(escapes, "").split(/[\r\n]+/)
    const bars = drawn.filter((line) => line.startsWith("run ") || line.startsWith("02-toy-projector  "))
    assert.match(bars.find((line) => line.startsWith("run ")) ?? "", /^run {2}stage 1\/2/)
    assert.isAbove(bars.filter((line) => /^02.* left$/.test(line)).length, 0, text)
    assert.deepStrictEqual(
      bars.filter((line) => line.replace("^C", "").length > 57),
      []
    )
    // The bars are gone, and the last line is whole.
    const last = text.slice(text.lastIndexOf("\u001b[J") + 3)
    assert.match(
      last,
      /^\u001b\[33mwarning: 02-toy-projector: interrupted after step \d+ of 500, saved; .*\u001b\[39m\r\n$/
    )
  })

  it("shows no colours with NO_COLOR", async () => {
    const { code, text } = await start({ NO_COLOR: "1" })
    assert.strictEqual(code, 130, text)
    assert.notMatch(text, /\u001b\[\d+m/)
    assert.include(text, "\u001b[J")
  })
})
