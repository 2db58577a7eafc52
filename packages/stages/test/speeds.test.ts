/** Forecasts of time rest on pieces of work that are timed here, each once. */
import os from "node:os"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { cakld, crossEntropy } from "@speedq/distillation"
import { processBytes } from "@speedq/pipeline"
import { bilevel, clippingDefaults, uniform } from "@speedq/quantizers"
import { readModelConfig } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { afterEach, beforeEach, vi } from "vitest"
import { Compute } from "../src/compute/Compute.ts"
import { placingPiece } from "../src/importVit/importTime.ts"
import { decoderPiece, headPiece, lossPiece, visionPiece } from "../src/measuring/networkPieces.ts"
import { measureSpeeds, type Piece } from "../src/measuring/speeds.ts"
import {
  checkingPiece,
  clampingPiece,
  clippingPiece,
  fakeQuantizationPiece,
  optimizerPiece,
  packingPiece,
  roundingPiece,
  unpackingPiece,
  writingPiece
} from "../src/measuring/weightPieces.ts"

/** A clock that only the work of pieces moves. */
let clock = 0
let load = 0

/** A piece whose runs take so many milliseconds, one after the other; the last is repeated. */
const taking = (name: string, ...milliseconds: readonly number[]) => {
  let runs = 0
  const run = async () => {
    clock += milliseconds[Math.min(runs++, milliseconds.length - 1)]!
  }
  const made: Piece = { name, amount: 10, prepare: () => ({ run, release: () => {} }) }
  return { made, runs: () => runs }
}

describe("speeds", () => {
  beforeEach(() => {
    load = 0
    vi.spyOn(performance, "now").mockImplementation(() => clock)
    vi.spyOn(os, "loadavg").mockImplementation(() => [load, load, load])
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it.effect("are seconds of a unit of work, the best of runs until two agree, measured once", () =>
    Effect.gen(function* () {
      const { made, runs } = taking("measured once", 30, 80, 20, 21, 10)
      const { seconds } = Option.getOrThrow(yield* measureSpeeds({ made }))
      assert.closeTo(seconds.made, 0.002, 1e-9)
      assert.deepStrictEqual(Option.getOrThrow(yield* measureSpeeds({ made })).seconds, seconds)
      assert.strictEqual(runs(), 4)
    })
  )

  it.effect("of short work are those of more runs, and work of which no two runs agree is given up", () =>
    Effect.gen(function* () {
      const [short, restless] = [taking("short", 2, 2, 1, 1), taking("restless", 160, 80, 40)]
      const { seconds } = Option.getOrThrow(yield* measureSpeeds({ short: short.made, restless: restless.made }))
      assert.closeTo(seconds.short, 0.0001, 1e-9)
      assert.strictEqual(short.runs(), 13)
      assert.closeTo(seconds.restless, 0.008, 1e-9)
      assert.strictEqual(restless.runs(), 2)
    })
  )

  it.effect("are those of a quiet machine, and say so where it is not", () =>
    Effect.gen(function* () {
      // Of its own: a process keeps the load that it found before it measured for the first time.
      const inNewProcess = Effect.promise(() => {
        vi.resetModules()
        return import("../src/measuring/speeds.ts")
      })
      const { measureSpeeds } = yield* inNewProcess
      const quiet = taking("quiet", 30, 15, 15).made
      const [busy, other] = ["busy", "other"].map((name) => taking(name, 30, 15, 45).made)
      assert.isEmpty(Option.getOrThrow(yield* measureSpeeds({ quiet, busy })).notes)
      const measured = Option.getOrThrow(yield* measureSpeeds({ quiet, busy, other }))
      assert.strictEqual(measured.seconds.busy, measured.seconds.quiet)
      assert.match(measured.notes.join(), /^something else runs on this machine: .* 2\.0 times as long/)
      assert.isEmpty(Option.getOrThrow(yield* measureSpeeds({ quiet })).notes)
      // A process is told of the load that it found.
      load = 3 * os.availableParallelism()
      assert.isEmpty(Option.getOrThrow(yield* measureSpeeds({ quiet })).notes)
      const later = yield* inNewProcess
      assert.match(
        Option.getOrThrow(yield* later.measureSpeeds({ quiet })).notes.join(),
        /^this machine was busy in the last minute \(load average \d+\.0 on \d+ processors\)/
      )
    })
  )

  it.effect("are those of the backend that runs, or of the processor, and 0 of work that there is none of", () =>
    Effect.gen(function* () {
      vi.restoreAllMocks()
      const kinds: string[] = []
      const prepare: Piece["prepare"] = ({ kind }) => {
        kinds.push(kind)
        return { run: async () => {}, release: () => {} }
      }
      const piece: Piece = { name: "what is measured on", amount: 1, prepare }
      const measure = Effect.map(measureSpeeds({ piece, none: undefined }), Option.getOrThrow)
      const { seconds } = yield* measure
      yield* Effect.provide(measure, Compute.layer({ backend: "reference" }))
      assert.deepStrictEqual(kinds, ["native", "reference"])
      assert.strictEqual(seconds.none, 0)
    })
  )

  it.effect("are unknown where a piece does not fit, and nothing of it stays", () =>
    Effect.gen(function* () {
      vi.restoreAllMocks()
      const [small, large] = [optimizerPiece([[64, 64]]), optimizerPiece([[192, 256]])]
      assert.isTrue(Option.isNone(yield* measureSpeeds({ small, large })))
      const { backend } = yield* Compute
      assert.strictEqual(backend.usage().buffers, 0)
    }).pipe(Effect.provide(Compute.layer({ backend: "native:none", memoryLimit: processBytes + 300 * 1024 })))
  )
})

describe("every piece of work", () => {
  const nano = readModelConfig(fileURLToPath(new URL("../../../data/nano/model", import.meta.url)))
  const choices = [bilevel({ bits: 2, group: 16, scaleGroup: 16 }), uniform({ bits: 4, group: 16 })]
  const matrices = choices.map((choice, at) => ({ layer: `layer ${at}`, shape: [64, 48 * (at + 1)], choice }))
  const clipping = { ...clippingDefaults, bits: 2, group: 16, sampleTokens: 64 }
  const decoding = { batch: 2, tokens: 16, stored: "bf16" } as const
  const losses = [cakld({ confidence: 0.5 }), crossEntropy({ labelSmoothing: 0.1 })]
  const pieces: { readonly [name: string]: Piece } = {
    vision: visionPiece(nano, { tiles: 1, stored: "bf16", trained: false }),
    visionTraining: visionPiece(nano, { tiles: 3, stored: "bf16", trained: true }),
    forward: decoderPiece(nano, { ...decoding, learns: "nothing" }),
    toInput: decoderPiece(nano, { ...decoding, learns: "input" }),
    training: decoderPiece(nano, { ...decoding, learns: "all" }),
    head: headPiece(nano, 2, "bf16"),
    losses: lossPiece(nano, losses, "bf16", true),
    crossEntropy: lossPiece(nano, losses.slice(1), "f32", false),
    optimizer: optimizerPiece([[64, 64], [64]]),
    quantization: fakeQuantizationPiece(matrices, false),
    fakeQuantization: fakeQuantizationPiece(matrices, true),
    rounding: roundingPiece(matrices),
    clipping: clippingPiece([200, 48], clipping),
    packing: packingPiece(matrices),
    unpacking: unpackingPiece(matrices),
    writing: writingPiece(1000, "bf16"),
    checking: checkingPiece(1000, "bf16"),
    clamping: clampingPiece(matrices, "bf16"),
    placing: placingPiece(matrices)
  }

  it.effect("can be timed, has a name of its own, and leaves nothing", () =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      const { seconds } = Option.getOrThrow(yield* measureSpeeds(pieces))
      for (const [name, each] of Object.entries(seconds)) assert.isAbove(each, 0, name)
      assert.strictEqual(new Set(Object.values(pieces).map(({ name }) => name)).size, Object.keys(pieces).length)
      assert.strictEqual(backend.usage().buffers, 0)
    }).pipe(Effect.provide(Compute.layer({ backend: "native:none" })))
  )

  it("of large matrices is a part of them", () => {
    const large = [{ ...matrices[0]!, shape: [8192, 4864] }, matrices[1]!]
    // No rows are left over that a quantizer does not take together.
    assert.strictEqual(packingPiece(large).amount, 256 * 4864 + 64 * 96)
    assert.strictEqual(clippingPiece([4864, 896], clipping).amount, 128 * 896)
    assert.strictEqual(packingPiece([{ ...matrices[0]!, shape: [151_674, 4096] }]).amount, 512 * 4096)
    assert.strictEqual(packingPiece([{ ...matrices[0]!, shape: [151_674, 4864] }]).amount, 430 * 4864)
    const wide = { ...nano, llm_config: { ...nano.llm_config, hidden_size: 2048, intermediate_size: 65_536 } }
    const whole = 2 * 3 * 2048 * 65_536 * 40
    assert.isBelow(decoderPiece(wide, { batch: 1, tokens: 40, stored: "bf16", learns: "all" }).amount, whole / 10)
  })
})
