import { assert, describe, it } from "vitest"
import { extractYesNo, processPunctuation } from "../src/matching/yesNo.ts"

const table = {
  Yes: ["Yes", "yes.", "YES!", "yes,", "(yes)", '"yes"', "_yes_", "yes - it is", "Answer: yes", "yes, 1,000"],
  No: ["No, it is not.", "no-one", "Not no"],
  Unknown: [
    ...["Yes and no", "Yes/No", "Yes\nNo", "no-yes", "**Yes**", "*Yes*", "Yes'", "Yes（是）", "Yes.No"],
    ...["Nope", "y", "是", "I cannot tell", "nan", "answer:yes", "No.1", "no.5", ""]
  ]
}

describe("extractYesNo", () => {
  for (const [expected, predictions] of Object.entries(table)) {
    for (const prediction of predictions) {
      it(`${JSON.stringify(prediction)} is ${expected}`, () => assert.strictEqual(extractYesNo(prediction), expected))
    }
  }
})

describe("processPunctuation", () => {
  it("deletes a mark that stands beside a space anywhere, else makes it a space", () => {
    assert.strictEqual(processPunctuation("a-b c- d"), "ab c d")
    assert.strictEqual(processPunctuation("a-b"), "a b")
  })

  it("deletes every mark as soon as there is a comma between digits, of any script", () => {
    assert.strictEqual(processPunctuation("a-b 1,000"), "ab 1000")
    assert.strictEqual(processPunctuation("a-b ١,٢"), "ab ١٢")
  })

  it("looks for spaces in the original text, not in what earlier marks left", () => {
    // The ";" becomes a space beside "-" only in the intermediate text, so "-" is still replaced by a space.
    assert.strictEqual(processPunctuation("a;-b"), "a  b")
  })

  it("deletes lone periods, at most 32 of them, and keeps those beside digits", () => {
    assert.strictEqual(processPunctuation("a.b 1.5 2. .3"), "ab 1.5 2. .3")
    assert.strictEqual(processPunctuation(".".repeat(40)), ".".repeat(8))
  })
})
