import * as Cause from "effect/Cause"
import { assert, describe, it } from "vitest"
import { StorageFailed } from "../src/Errors.ts"
import { describeFailure } from "../src/run/describeFailure.ts"

const failed = (detail: string) => new StorageFailed({ doing: "read", path: "a\u001b[31m", reason: "other", detail })

describe("a failure in words", () => {
  it("is its message, which does not steer the terminal", () => {
    assert.strictEqual(
      describeFailure(Cause.fail(failed("b\u009b2J\nc")), false),
      "error: could not read (a\ufffd[31m): b\ufffd2J\nc. What was saved before is intact."
    )
    assert.strictEqual(describeFailure(Cause.fail(new Error("no")), false, true), "\u001b[31merror:\u001b[39m no")
  })

  it("is what the system refuses to a part of the program that is loaded, and what to do about it", () => {
    const refused = Object.assign(new Error("EMFILE: too many open files, open 'x.js'"), { code: "EMFILE" })
    assert.strictEqual(
      describeFailure(Cause.die(refused), false),
      "error: EMFILE: too many open files, open 'x.js'; raise the limit (\"ulimit -n\") and run the same command again"
    )
    assert.match(describeFailure(Cause.die(refused), true), /\n\s+at /)
  })

  it("is its stack where that is asked for, or where the program is wrong", () => {
    for (const [cause, debug] of [
      [Cause.fail(failed("b")), true],
      [Cause.die(new Error("a\u001b[31m")), false]
    ] as const) {
      const text = describeFailure(cause, debug)
      assert.match(text, /a\ufffd\[31m.*\n\s+at /s)
      assert.notInclude(text, "\u001b")
    }
  })
})
