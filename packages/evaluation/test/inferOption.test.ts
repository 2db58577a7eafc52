import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { inferLetter, inferOption, inferText, type Matcher } from "../src/matching/inferOption.ts"
import { optionsMap } from "./rows.ts"

const vehicles = optionsMap({ A: "a red car", B: "a blue bus", C: "a green truck", D: "None of the above" })
const infer = (prediction: string, options = vehicles, matcher: Matcher = "head") =>
  inferOption(prediction, options, matcher)

const same: readonly (readonly [string, string | undefined])[] = [
  ["A", "A"],
  ["B.", "B"],
  ["(C)", "C"],
  ["C)", "C"],
  ["B:", "B"],
  ["**D**", "D"],
  ["\\boxed{C}", "C"],
  ["Answer: D", "D"],
  ["C. a green truck", "C"],
  ["A red car", "A"],
  ["a blue bus", "B"],
  ["none of the above", "D"],
  ["It is a blue bus, not a red car.", undefined],
  ["B or C", undefined],
  ...["a", "b", "AB", "A/B", '"A"', "'A'", "A-", "<B>", "【B】", "选B", "答案是B。", "B。"].map(
    (text) => [text, undefined] as const
  ),
  ["Z", "Z"],
  ["Cannot determine the answer", "Z"],
  ["Sorry, I can't help with images of people yet.", "Z"],
  ["I can't process this file.", "Z"],
  ["I'm sorry, but without the image provided I do not know.", "Z"],
  ["", undefined],
  ["nan", undefined],
  ["A\n\nThe red car is parked.", undefined],
  ["A w w w", "A"],
  ["A w w w w", undefined],
  ["Option A is the best choice since it is red and has four wheels", undefined],
  ["answer is: (b)", undefined],
  ["the correct answer is E", undefined],
  ["Failed to obtain answer via API.", undefined]
]

// Prediction, what `head` infers; 2025-08 infers nothing.
const onlyHead: readonly (readonly [string, string])[] = [
  ["The correct answer is **B**. Because it has seats.", "B"],
  ["Answer is C because A and B are wrong", "C"],
  ["Both A and B are shown; the answer is A", "A"],
  ["the answer is Apple pie and cake", "A"],
  ["The answer is a cat", "A"],
  ["THE ANSWER IS \u3000b", "B"],
  // Any white space between the words, and any number of marks.
  ["the answer\u00a0is A, since B is not red", "A"],
  ["the answer \n is\tB, since A is not blue", "B"],
  // What Python takes for an i or an s when it ignores case.
  ["the answer \u0131s A, not B or C", "A"],
  ["the answer \u0130S B, not A or C", "B"],
  ["the an\u017fwer is C, not A or B", "C"],
  ["The answer is *C*, not D", "C"],
  ["The answer is ***D***, not C", "D"]
]

describe("inferOption", () => {
  for (const [prediction, expected] of same) {
    it(`${JSON.stringify(prediction)} is ${expected ?? "nothing"} for both matchers`, () => {
      assert.strictEqual(infer(prediction, vehicles, "head"), expected)
      assert.strictEqual(infer(prediction, vehicles, "2025-08"), expected)
    })
  }
  for (const [prediction, expected] of onlyHead) {
    it(`${JSON.stringify(prediction)} is ${expected} for head only`, () => {
      assert.strictEqual(infer(prediction, vehicles, "head"), expected)
      assert.strictEqual(infer(prediction, vehicles, "2025-08"), undefined)
    })
  }

  it("numeric and short options", () => {
    const numbers = optionsMap({ A: "1", B: "2", C: "3", D: "12" })
    assert.strictEqual(infer("12", numbers), undefined)
    assert.strictEqual(infer("1", numbers), "A")
    assert.strictEqual(infer("3.", numbers), "C")
    assert.strictEqual(infer("The answer is 2", numbers), undefined)
    const yesNo = optionsMap({ A: "Yes", B: "No" })
    assert.strictEqual(infer("Yes", yesNo), "A")
    assert.strictEqual(infer("no", yesNo), "B")
    assert.strictEqual(infer("Not sure", yesNo), "B")
    assert.strictEqual(infer("yes, no", yesNo), undefined)
  })

  it("compares the answer's length with twice all options'", () => {
    const options = optionsMap({ A: "x1", B: "x2", C: "x3", D: "x4" })
    assert.strictEqual(infer(`x1${"-".repeat(14)}`, options), "A")
    assert.strictEqual(infer(`x1${"-".repeat(15)}`, options), undefined)
  })

  it("counts code points, and of the options before lowering", () => {
    // Two options of two characters outside the basic plane: up to eight such characters are short enough.
    const options = optionsMap({ A: "😀😁", B: "😂😃" })
    assert.strictEqual(inferText("😀😁zzzzzz", options), "A")
    assert.strictEqual(inferText("😀😁zzzzzzz", options), undefined)
    // The dotted capital I lowers to two code points, in the answer only.
    const dotted = optionsMap({ A: "İx", B: "y" })
    assert.strictEqual(inferText("İxİx", dotted), "A")
    assert.strictEqual(inferText("İxİxz", dotted), undefined)
  })

  it("splits at every white space of Python, U+FEFF not among them", () => {
    for (const space of ["\x1c", "\x1f", "\x85", "\u3000", "\u2028", "\xa0"]) {
      assert.strictEqual(inferLetter(`is${space}B`, vehicles, "2025-08"), "B", JSON.stringify(space))
    }
    assert.strictEqual(inferLetter("is\ufeffB", vehicles, "2025-08"), undefined)
  })

  it("missing options are not choices", () => {
    const gap = optionsMap({ A: "cat", C: "dog" })
    assert.strictEqual(infer("B", gap), undefined)
    assert.strictEqual(infer("B or C", gap), "C")
  })

  it("a letter alone is that letter, whatever the punctuation around it", () => {
    fc.assert(
      fc.property(fc.constantFrom("A", "B", "C", "D"), fc.stringMatching(/^[.()[\],:;!*#{} ]*$/), (letter, marks) => {
        assert.strictEqual(infer(marks + letter + marks, vehicles, "2025-08"), letter)
      }),
      { seed: 1, numRuns: 200 }
    )
  })

  it("head agrees with 2025-08 wherever that infers something", () => {
    const word = fc.constantFrom("A", "B", "C", "Z", "the", "answer", "is", "red", "car", "a red car", "blue", "no")
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (words) => {
        const old = infer(words.join(" "), vehicles, "2025-08")
        if (old !== undefined && inferLetter(words.join(" "), vehicles, "2025-08") !== undefined) {
          assert.strictEqual(infer(words.join(" "), vehicles, "head"), old)
        }
      }),
      { seed: 2, numRuns: 500 }
    )
  })
})
