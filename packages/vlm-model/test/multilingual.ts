/** Random texts in many scripts, with the fragments that tokenizers get wrong. */
import * as fc from "fast-check"

const blocks: ReadonlyArray<readonly [number, number]> = [
  [0x20, 0x7e],
  [0x00, 0x1f],
  [0x80, 0x24f],
  [0x300, 0x36f],
  [0x370, 0x3ff],
  [0x400, 0x4ff],
  [0x590, 0x6ff],
  [0x900, 0x97f],
  [0xe00, 0xe7f],
  [0x1100, 0x11ff],
  [0x1e00, 0x1fff],
  [0x2000, 0x218f],
  [0x3000, 0x30ff],
  [0x4e00, 0x9fff],
  [0xac00, 0xd7a3],
  [0xf900, 0xffef],
  [0x1d400, 0x1d7ff],
  [0x1f300, 0x1faff],
  [0x20000, 0x2a6df]
]
const fragments = [
  "the",
  " quick",
  "It's",
  "we'LL",
  "'\u017f",
  "don't've",
  "<img>",
  "</img>",
  "<IMG_CONTEXT>",
  "<image>",
  "<|im_end|>",
  "<|im_start|>",
  "<|im_start|",
  "<tool_call>",
  "\n\n",
  " \n ",
  "\r\n",
  "\t",
  "   ",
  "\u0085",
  "\ufeff",
  "\u3000",
  "123",
  "3.14",
  "你好",
  "e\u0301",
  "\u0338",
  "👨‍👩‍👧",
  "  return x",
  "\ud800",
  "\udc00"
]

const block = fc.constantFrom(...blocks).chain(([low, high]) => {
  const codes = fc.array(fc.integer({ min: low, max: high }), { minLength: 1, maxLength: 6 })
  return codes.map((list) => String.fromCodePoint(...list))
})

export const multilingual = fc
  .array(fc.oneof({ weight: 3, arbitrary: block }, { weight: 2, arbitrary: fc.constantFrom(...fragments) }), {
    maxLength: 12
  })
  .map((parts) => parts.join(""))
