/** Lines of a conversation. */
import { assert, describe, it } from "vitest"
import { readChatLine } from "../src/models/chatLine.ts"

describe("a line of a conversation", () => {
  it.each([
    ["What is this?", { kind: "question", text: "What is this?" }],
    ["  around  ", { kind: "question", text: "around" }],
    ["1/2 of what?", { kind: "question", text: "1/2 of what?" }],
    ["//etc is what?", { kind: "question", text: "/etc is what?" }],
    ["/ 3", { kind: "question", text: "/ 3" }],
    ["", { kind: "nothing" }],
    ["   ", { kind: "nothing" }],
    ["/reset", { kind: "reset" }],
    ["/help", { kind: "help" }],
    ["/exit", { kind: "exit" }],
    ["/image a b.png", { kind: "image", file: "a b.png" }],
    ["/image 'a b.png' ", { kind: "image", file: "a b.png" }],
    ['/image "it\'s.png"', { kind: "image", file: "it's.png" }],
    ["/image a\\ b.png", { kind: "image", file: "a b.png" }],
    ["/image copy\\ \\(1\\).png", { kind: "image", file: "copy (1).png" }],
    ["/image 'it'\\''s.png'", { kind: "image", file: "it's.png" }]
  ])("%s", (line, meant) => {
    assert.deepStrictEqual(readChatLine(line), meant)
  })

  it("is told where it is no command", () => {
    assert.deepStrictEqual(readChatLine("/image"), {
      kind: "unknown",
      reason: "/image needs a file, as in /image cat.jpg"
    })
    assert.strictEqual(readChatLine("/constructor").kind, "unknown")
    assert.strictEqual(readChatLine("/Reset now").kind, "unknown")
  })
})
