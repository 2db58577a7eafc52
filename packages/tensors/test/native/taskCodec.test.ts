/** Tasks through shared memory: what one thread writes, another reads. */
import { assert, describe, it } from "vitest"
import { readTask, writeTask } from "../../src/backends/native/thread/taskCodec.ts"
import type { Heads, Matrix, Task } from "../../src/backends/native/thread/tasks.ts"

const entries = ["add", "gelu", "softmax"]
const places = new Map(entries.map((name, index) => [name, index]))

const heads = (seed: number): Heads => ({
  memory: seed,
  offset: 2 ** 32 - 64 * seed,
  itemStride: 3 * seed,
  rowStride: 5 * seed,
  headStride: 7 * seed
})
const matrix = (seed: number, transposed: boolean): Matrix => ({
  memory: seed,
  offset: 2 ** 31 + seed,
  stride: 11 * seed,
  transposed,
  batchBytes: 13 * seed
})
const attention = {
  type: "f32",
  batch: 2,
  queries: 3,
  keys: 5,
  heads: 7,
  headsPerGroup: 11,
  width: 13,
  causal: true,
  scale: -0.125,
  blockRows: 17,
  statistics: 19,
  q: heads(1),
  k: heads(2),
  v: heads(3),
  y: heads(4)
} as const
const product = { kind: "product", batch: 2, m: 3, n: 5, k: 7, accumulate: true, sliceM: 8, sliceN: 16 } as const
const rows = {
  kind: "rows",
  entry: "softmax",
  home: 3,
  rows: 2 ** 33,
  partRows: 4096,
  together: 16,
  scratch: true
} as const

const tasks: readonly (readonly [string, Task])[] = [
  ["rows of nothing", { ...rows, operands: [], scalars: [] }],
  [
    "rows with operands and scalars",
    {
      ...rows,
      operands: [
        { memory: 1, offset: 64, rowBytes: 4, partBytes: 0, reads: true, writes: false },
        { memory: 2, offset: 2 ** 32 - 128, rowBytes: 0, partBytes: 12, reads: false, writes: true },
        { memory: 0, offset: 0, rowBytes: 0, partBytes: 0, reads: true, writes: true }
      ],
      scalars: [1, -0.5, Number.POSITIVE_INFINITY]
    }
  ],
  [
    "several tasks of rows",
    {
      kind: "several",
      tasks: [
        { ...rows, operands: [], scalars: [2] },
        {
          ...rows,
          entry: "add",
          operands: [{ memory: 1, offset: 64, rowBytes: 4, partBytes: 0, reads: true, writes: false }],
          scalars: []
        }
      ]
    }
  ],
  [
    "product",
    { ...product, a: { ...matrix(1, true), type: "f32" }, b: { ...matrix(2, false), type: "f32" }, c: matrix(3, false) }
  ],
  [
    "product in bf16",
    {
      ...product,
      a: { ...matrix(1, true), type: "bf16" },
      b: { ...matrix(2, false), type: "bf16" },
      c: matrix(3, false)
    }
  ],
  [
    "product by parts",
    {
      ...product,
      a: { ...matrix(1, false), type: "f32" },
      b: { ...matrix(2, true), type: "bf16" },
      c: matrix(3, false),
      parts: 2 ** 32 - 64
    }
  ],
  [
    "product with bias and 16-bit weights",
    {
      ...product,
      a: { ...matrix(1, false), type: "f32" },
      b: { ...matrix(2, true), type: "f16" },
      c: matrix(3, false),
      bias: 0
    }
  ],
  [
    "product with codes",
    {
      ...product,
      a: { ...matrix(1, false), type: "f32" },
      b: { ...matrix(2, true), type: "codes" },
      decoder: { grid: 2 ** 31, origin: 3, step: 5, group: 7, bits: 2, sharing: 16, scaleType: 1 },
      c: matrix(3, false),
      bias: 64
    }
  ],
  ["attention", { kind: "attention", ...attention }],
  ["attention with a mask", { kind: "attention", ...attention, mask: 0 }],
  ["attention in bf16", { kind: "attention", ...attention, type: "bf16" }],
  [
    "attention gradient",
    {
      kind: "attentionGradient",
      ...attention,
      mask: 64,
      dy: heads(5),
      downstream: heads(6),
      dq: heads(7),
      dk: heads(8),
      dv: heads(9)
    }
  ]
]

describe("tasks in shared memory", () => {
  for (const [name, task] of tasks) {
    it(`${name}: read as written`, () => {
      const numbers = new Float64Array(256)
      writeTask(task, numbers, places)
      assert.deepStrictEqual(readTask(numbers, entries), task)
    })
  }

  it("refuses a task that does not fit, and an entry that the kernels lack", () => {
    const task: Task = { ...rows, operands: [], scalars: Array.from({ length: 100 }, (_, i) => i) }
    assert.throws(() => writeTask(task, new Float64Array(100), places), RangeError, /109 numbers is too long/)
    const several: Task = { kind: "several", tasks: [task, task] }
    assert.throws(() => writeTask(several, new Float64Array(200), places), RangeError, /220 numbers is too long/)
    assert.throws(() => writeTask({ ...task, entry: "none" }, new Float64Array(256), places), RangeError, /"none"/)
  })
})
