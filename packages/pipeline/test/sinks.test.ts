/** What the sinks write: log lines, plain lines, bars, TensorBoard records. */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { assert } from "vitest"
import { eventKind } from "../src/events/EventKind.ts"
import { CurrentStage, Events, emit } from "../src/events/Events.ts"
import { eventReader, eventsOf, readEvents } from "../src/events/readEvents.ts"
import {
  RunFailed,
  RunStarted,
  StageFinished,
  StageReused,
  StageStarted,
  StepDone,
  Warning
} from "../src/events/runEvents.ts"
import { crc32c } from "../src/events/sinks/crc32c.ts"
import { jsonLinesSink } from "../src/events/sinks/jsonLines.ts"
import { progressBarsSink } from "../src/events/sinks/progressBars.ts"
import * as Sinks from "../src/events/sinks/Sinks.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { collect } from "./support/toyRun.ts"

const Clipped = eventKind(
  "Clipped",
  { layer: Schema.String, ratio: Schema.Number },
  { line: ({ layer, ratio }) => `${layer} clipped at ${ratio}`, scalars: ({ ratio }) => ({ ratio }) }
)

/** A stage of 100 steps, one a second. */
const someSteps = (first: number, last: number) =>
  Effect.gen(function* () {
    for (let step = first; step <= last; step++) {
      yield* TestClock.adjust(Duration.seconds(1))
      yield* emit(StepDone, { step, steps: 100, metrics: { lr: 1e-4, loss: 1 / step } })
    }
  })
const stage = Effect.provideService(CurrentStage, "01-toy")
const withSink = (sink: Layer.Layer<never, never, Events>) => Effect.provide(Layer.provideMerge(sink, Events.layer))

describe("plain lines", () => {
  it.effect("every text, and a step every ten seconds and at the end", () => {
    const output = collect()
    return Effect.gen(function* () {
      yield* emit(StageStarted, { key: "k", from: 0, steps: 100 })
      yield* someSteps(1, 100)
      yield* emit(Clipped, { layer: "mlp", ratio: 0.9 })
      yield* emit(Warning, { message: "careful" })
      yield* emit(StageFinished, { steps: 100, milliseconds: 100_000, bytes: 2048 })
      yield* emit(RunFailed, { message: "said by whoever ran it" })
      const lines = output.text().trim().split("\n")
      assert.strictEqual(lines[0], "01-toy: 100 steps")
      assert.strictEqual(lines[1], "01-toy: step 1/100  loss 1  lr 1e-4")
      assert.strictEqual(lines[2], "01-toy: step 11/100  loss 0.09091  lr 1e-4  1 min 29 s left")
      assert.deepStrictEqual(lines.slice(-4), [
        "01-toy: step 100/100  loss 0.01  lr 1e-4",
        "01-toy: mlp clipped at 0.9",
        "warning: 01-toy: careful",
        "01-toy: finished in 1 min 40 s, 2 KiB kept"
      ])
    }).pipe(stage, withSink(Sinks.plainLines(output)))
  })
})

describe("plain lines of a run", () => {
  const linesOf = (seconds: { readonly [place: string]: number }) => {
    const output = collect()
    return Effect.gen(function* () {
      yield* emit(RunStarted, { name: "two", stages: ["01-toy", "02-evaluate"], continued: false, seconds })
      yield* emit(StageStarted, { key: "k", from: 25, steps: 100 })
      return output.text().split("\n")
    }).pipe(stage, withSink(Sinks.plainLines(output)))
  }

  it.effect("tell how long a stage and the run will take, where that is known", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        (yield* linesOf({ "01-toy": 80, "02-evaluate": 20 }))[1],
        "01-toy: continuing after step 25 of 100; about 1 min 0 s, 1 min 20 s left of the run"
      )
      assert.strictEqual(
        (yield* linesOf({ "01-toy": 80 }))[1],
        "01-toy: continuing after step 25 of 100; about 1 min 0 s"
      )
      assert.strictEqual((yield* linesOf({}))[1], "01-toy: continuing after step 25 of 100")
    })
  )
})

describe("progress bars", () => {
  it.effect("show rate and time left, and keep lines above the bar", () => {
    const output = collect(true)
    return Effect.gen(function* () {
      yield* emit(StageStarted, { key: "k", from: 20, steps: 100 })
      yield* someSteps(21, 50)
      yield* emit(Warning, { message: "careful" })
      const drawn = output.text().split("\r\u001b[J")
      const bar = "01-toy  [████----]   50 %  50/100  1.0 s/step  50.0 s left  loss 0.02"
      assert.include(drawn, bar)
      assert.include(drawn, `warning: 01-toy: careful\n${bar}`)
      assert.strictEqual(output.text().split("\n").at(-1), bar)
      assert.isTrue(drawn.every((line) => line.length <= 130))
    }).pipe(stage, withSink(Sinks.terminal(output)))
  })

  /** The bars on the screen after `emitted`, of a run of three stages whose first is finished. */
  const shown = (columns: number, seconds: { readonly [place: string]: number }) => {
    const output = collect(true, columns)
    const sink = progressBarsSink(output, () => 2 ** 30)
    return Effect.gen(function* () {
      yield* (yield* Events).subscribe(sink)
      yield* emit(RunStarted, {
        name: "three",
        stages: ["01-import", "02-toy", "03-evaluate"],
        continued: false,
        seconds
      })
      yield* Effect.provideService(emit(StageReused, { key: "i" }), CurrentStage, "01-import")
      yield* emit(StageStarted, { key: "k", from: 0, steps: 100 })
      yield* someSteps(1, 50)
      return output
        .text()
        .split("\r")
        .at(-1)
        ?.replaceAll(/\u001b\[\d*[AJ]/g, "")
        .split("\n")
    }).pipe(Effect.scoped, Effect.provideService(CurrentStage, "02-toy"), Effect.provide(Events.layer))
  }
  const seconds = { "01-import": 10, "02-toy": 80, "03-evaluate": 110 }

  it.effect("show the whole run above its stage: done, time left of all stages, memory", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* shown(120, seconds), [
        "run  [██████------------------]   25 %  stage 2/3  2 min 40 s left  50.0 s so far  1 GiB",
        "02-toy  [████████████------------]   50 %  50/100  1.0 s/step  50.0 s left  loss 0.02"
      ])
    })
  )

  it.effect("fit 60 columns, and leave out what matters least", () =>
    Effect.gen(function* () {
      const lines = yield* shown(60, seconds)
      assert.deepStrictEqual(lines, [
        "run  [██------]   25 %  stage 2/3  2 min 40 s left  1 GiB",
        "02-toy   50 %  50/100  1.0 s/step  50.0 s left  loss 0.02"
      ])
    })
  )

  it.effect("tell no time left and no share of a run while the time of a later stage is unknown", () =>
    Effect.gen(function* () {
      const [run] = (yield* shown(120, { "02-toy": 80 })) ?? []
      assert.strictEqual(run, "run  stage 2/3  50.0 s so far  1 GiB")
    })
  )

  it.effect("leave a clean line behind at the end, and colour warnings and results where there are colours", () => {
    const output = { ...collect(true), hasColors: true }
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* emit(StageStarted, { key: "k", from: 0, steps: 100 })
        yield* emit(Warning, { message: "careful" })
        yield* emit(StageFinished, { steps: 100, milliseconds: 1000, bytes: 2048 })
      }).pipe(stage, withSink(Sinks.terminal(output)))
      assert.include(output.text(), "\u001b[33mwarning: 01-toy: careful\u001b[39m\n")
      assert.include(output.text(), "\u001b[32m01-toy: finished in 1.0 s, 2 KiB kept\u001b[39m\n")
      assert.isTrue(output.text().endsWith("\r\u001b[J"))
    })
  })
})

describe("what is printed", () => {
  it.effect("does not steer the terminal, whatever a stage or a warning is called", () => {
    const [lines, bars] = [collect(), collect(true)]
    const shown = Effect.gen(function* () {
      yield* emit(StageStarted, { key: "k", from: 0, steps: 2 })
      yield* someSteps(1, 2)
      yield* emit(Warning, { message: "red \u001b[31m and \u009b2J" })
    }).pipe(Effect.provideService(CurrentStage, "01-\u001b]0;toy\u0007"))
    return Effect.gen(function* () {
      yield* withSink(Sinks.plainLines(lines))(shown)
      yield* withSink(Sinks.terminal(bars))(shown)
      const own = bars.text().replaceAll(/\r?\u001b\[\d*[AJ]/g, "")
      for (const text of [lines.text(), own]) {
        assert.include(text, "01-\ufffd]0;toy\ufffd")
        assert.include(text, "red \ufffd[31m and \ufffd2J")
        assert.notMatch(text, /[\0-\x08\x0b-\x1f\x7f-\x9f]/)
      }
    })
  })
})

describe("events.jsonl", () => {
  const logTo = (file: string) =>
    Layer.effectDiscard(
      Effect.gen(function* () {
        const events = yield* Events
        yield* events.subscribe(yield* jsonLinesSink(file))
      })
    ).pipe(Layer.provideMerge(Events.layer), Layer.provideMerge(NodeServices.layer))

  it.effect("is read back as it was emitted, kinds of stages and numbers that are none included", () =>
    Effect.gen(function* () {
      const file = join(temporaryDirectory(), "events.jsonl")
      yield* Effect.gen(function* () {
        yield* emit(Clipped, { layer: "mlp", ratio: Number.NaN })
        yield* emit(Warning, { message: "zwei\nZeilen" })
        yield* stage(emit(StepDone, { step: 1, steps: 2, metrics: { loss: 0.1 } }))
      }).pipe(Effect.provide(logTo(file)))
      const { events, unreadable } = yield* Effect.provide(readEvents(file), NodeServices.layer)
      assert.strictEqual(unreadable, 0)
      assert.deepStrictEqual(
        events.map(({ tag, stage: place, warning }) => [tag, place, warning]),
        [
          ["Clipped", undefined, undefined],
          ["Warning", undefined, "zwei\nZeilen"],
          ["StepDone", "01-toy", undefined]
        ]
      )
      assert.deepStrictEqual(eventsOf(Clipped, events)[0]?.event, { layer: "mlp", ratio: Number.NaN })
    })
  )

  it.effect("a torn last line is cut off when the run continues, a strange line is counted", () =>
    Effect.gen(function* () {
      const file = join(temporaryDirectory(), "events.jsonl")
      const write = (message: string) => Effect.provide(emit(Warning, { message }), logTo(file))
      yield* write("first")
      appendFileSync(file, `${"x".repeat(200_000)}`)
      yield* write("second")
      appendFileSync(file, "not an event\n")
      appendFileSync(file, '{"at": "once", "event": "Warning", "warning": "of no time", "data": {}}\n')
      yield* write("third")
      const { events, unreadable } = yield* Effect.provide(readEvents(file), NodeServices.layer)
      assert.deepStrictEqual(
        events.map(({ warning }) => warning),
        ["first", "second", "third"]
      )
      assert.strictEqual(unreadable, 2)
      writeFileSync(file, '{"torn":')
      yield* write("alone")
      assert.strictEqual((yield* Effect.provide(readEvents(file), NodeServices.layer)).events.length, 1)
    })
  )
})

describe("a log that is read again and again", () => {
  it.effect("is read on from the last whole line, and anew where it is shorter than before", () =>
    Effect.gen(function* () {
      const file = join(temporaryDirectory(), "events.jsonl")
      const line = (message: string) =>
        `${JSON.stringify({ at: "2026-01-01T00:00:00.000Z", event: "Warning", warning: message, data: {} })}\n`
      const reader = eventReader(file)
      const told = Effect.map(reader, ({ events }) => events.map(({ warning }) => warning))
      assert.deepStrictEqual(yield* told, [])
      const torn = line("second").slice(0, 40)
      writeFileSync(file, line("first") + torn)
      assert.deepStrictEqual(yield* told, ["first"])
      // What was read is not read again: nobody sees what becomes of it.
      writeFileSync(file, " ".repeat(line("first").length - 1) + "\n" + line("second") + "strange\n")
      assert.deepStrictEqual(yield* told, ["first", "second"])
      assert.strictEqual((yield* reader).unreadable, 1)
      writeFileSync(file, line("other"))
      assert.deepStrictEqual(yield* told, ["other"])
    }).pipe(Effect.provide(NodeServices.layer))
  )
})

describe("TensorBoard", () => {
  /** Reads TFRecords and their protobuf fields back, checksums included. */
  const records = (bytes: Buffer) => {
    const found: Array<{ step: number; scalars: Array<[string, number]>; version: string }> = []
    const unmask = (value: number) => {
      const rotated = (value - 0xa282ead8) >>> 0
      return ((rotated >>> 17) | (rotated << 15)) >>> 0
    }
    for (let at = 0; at < bytes.length; ) {
      const length = Number(bytes.readBigUInt64LE(at))
      assert.strictEqual(unmask(bytes.readUInt32LE(at + 8)), crc32c(bytes.subarray(at, at + 8)))
      const data = bytes.subarray(at + 12, at + 12 + length)
      assert.strictEqual(unmask(bytes.readUInt32LE(at + 12 + length)), crc32c(data))
      found.push(parseEvent(data))
      at += 16 + length
    }
    return found
  }
  const fields = (data: Buffer) => {
    const found: Array<{ number: number; value: number; bytes: Buffer }> = []
    let at = 0
    const varint = () => {
      let value = 0
      for (let shift = 0; ; shift++) {
        const byte = data[at++]!
        value += (byte & 127) * 128 ** shift
        if (byte < 128) return value
      }
    }
    while (at < data.length) {
      const key = varint()
      const size = { 1: 8, 5: 4 }[key & 7]
      const value = (key & 7) === 0 ? varint() : (size ?? varint())
      const end = (key & 7) === 0 ? at : at + value
      found.push({ number: key >> 3, value, bytes: data.subarray(at, end) })
      at = end
    }
    return found
  }
  const parseEvent = (data: Buffer) => {
    const event = { step: 0, scalars: [] as Array<[string, number]>, version: "" }
    for (const { number, value, bytes } of fields(data)) {
      if (number === 2) event.step = value
      if (number === 3) event.version = bytes.toString()
      if (number !== 5) continue
      for (const summary of fields(bytes)) {
        const [tag, scalar] = fields(summary.bytes)
        event.scalars.push([tag!.bytes.toString(), scalar!.bytes.readFloatLE()])
      }
    }
    return event
  }

  it("CRC-32C has its known value", () => {
    assert.strictEqual(crc32c(new TextEncoder().encode("123456789")), 0xe3069283)
  })

  it.effect("records hold every scalar under its stage, at its step", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "tensorboard")
      yield* Effect.gen(function* () {
        yield* emit(StepDone, { step: 300, steps: 1000, metrics: { loss: 0.5, lr: 0.25 } })
        yield* emit(Clipped, { layer: "mlp", ratio: 0.75 })
      }).pipe(
        stage,
        Effect.provide(
          Sinks.tensorBoard(directory).pipe(Layer.provideMerge(Events.layer), Layer.provide(NodeServices.layer))
        )
      )
      const [name = "", ...others] = readdirSync(directory)
      assert.isEmpty(others)
      // Without the name of the machine.
      assert.match(name, /^events\.out\.tfevents\.\d{10}\.speedq\.\d+$/)
      assert.deepStrictEqual(records(readFileSync(join(directory, name))), [
        { step: 0, scalars: [], version: "brain.Event:2" },
        {
          step: 300,
          scalars: [
            ["01-toy/loss", 0.5],
            ["01-toy/lr", 0.25]
          ],
          version: ""
        },
        { step: 300, scalars: [["01-toy/ratio", 0.75]], version: "" }
      ])
    })
  )
})
