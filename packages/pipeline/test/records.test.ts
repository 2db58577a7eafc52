/** What is kept of a run's events besides events.jsonl: a log of text, MLflow's files, an OpenTelemetry collector. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { assert } from "vitest"
import { CurrentStage, Events, emit } from "../src/events/Events.ts"
import { Interrupted, RunFailed, RunFinished, RunStarted, StepDone, Warning } from "../src/events/runEvents.ts"
import * as Sinks from "../src/events/sinks/Sinks.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"

const withSink = <E, R>(sink: Layer.Layer<never, E, R>) =>
  Effect.provide(Layer.provideMerge(Layer.provide(sink, NodeServices.layer), Events.layer))
const started = emit(RunStarted, { name: "toy", stages: ["toy"], continued: false })
const step = (number: number, loss: number) =>
  Effect.provideService(
    emit(StepDone, { step: number, steps: 9, metrics: { loss, "rate:odd": 0.5 } }),
    CurrentStage,
    "01-toy"
  )

describe("a log file", () => {
  it.live("has the lines of the terminal with their time, and goes on at its end", () =>
    Effect.gen(function* () {
      const file = join(temporaryDirectory(), "logs", "run.log")
      yield* withSink(Sinks.logFile(file))(emit(Warning, { message: "careful" }))
      yield* withSink(Sinks.logFile(file))(Effect.andThen(step(1, 2), emit(RunFailed, { message: "no \u001b[2Jdisk" })))
      const [first = "", second = "", third = "", ...rest] = readFileSync(file, "utf8").split("\n")
      const time = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /
      for (const line of [first, second, third]) assert.match(line, time)
      assert.strictEqual(first.replace(time, ""), "warning: careful")
      assert.strictEqual(second.replace(time, ""), "01-toy: step 1/9  loss 2  rate:odd 0.5")
      assert.strictEqual(third.replace(time, ""), "error: no \ufffd[2Jdisk")
      assert.deepStrictEqual(rest, [""])
    })
  )
})

describe("MLflow's files", () => {
  it.live("have one run for a run directory, continued or not, with its numbers and how it ended", () =>
    Effect.gen(function* () {
      const store = join(temporaryDirectory(), "mlruns")
      const sink = () => Sinks.mlflow(store, "runs/toy")
      yield* withSink(sink())(Effect.all([started, step(1, 2), emit(Interrupted, { step: 1, steps: 9 })]))
      const [experiment = ""] = readdirSync(store)
      const [id = "", ...others] = readdirSync(join(store, experiment)).filter((name) => name !== "meta.yaml")
      assert.match(id, /^[0-9a-f]{32}$/)
      const run = join(store, experiment, id)
      const meta = () => readFileSync(join(run, "meta.yaml"), "utf8")
      assert.match(meta(), /^status: 5$/m)
      yield* withSink(sink())(
        Effect.all([started, step(2, 1), emit(RunFinished, { milliseconds: 5, report: "report.html" })])
      )
      assert.deepStrictEqual(others, [])
      assert.match(meta(), new RegExp(`^run_id: "${id}"$`, "m"))
      assert.match(meta(), /^run_name: "toy"$/m)
      assert.match(meta(), /^status: 3$/m)
      assert.match(meta(), /^end_time: \d+$/m)
      assert.match(readFileSync(join(store, experiment, "meta.yaml"), "utf8"), /^name: "speedq"$/m)
      assert.match(readFileSync(join(run, "metrics", "01-toy", "loss"), "utf8"), /^\d+ 2 1\n\d+ 1 2\n$/)
      assert.isTrue(existsSync(join(run, "metrics", "01-toy", "rate_odd")))
    })
  )
})

describe("an OpenTelemetry collector", () => {
  it.live("gets numbers as gauges and lines as log records", () =>
    Effect.gen(function* () {
      const bodies = new Map<string, string>()
      const server = yield* Effect.acquireRelease(
        Effect.promise(
          () =>
            new Promise<ReturnType<typeof createServer>>((resolve) => {
              const listening = createServer((request, response) => {
                let body = ""
                request.on("data", (piece) => {
                  body += String(piece)
                })
                request.on("end", () => {
                  bodies.set(request.url ?? "", body)
                  response.end("{}")
                })
              }).listen(0, "127.0.0.1", () => resolve(listening))
            })
        ),
        (listening) => Effect.sync(() => void listening.close())
      )
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      yield* withSink(Sinks.openTelemetry(endpoint, "runs/toy"))(
        Effect.all([started, step(3, 0.5), emit(Warning, { message: "careful" })])
      )
      const metrics = bodies.get("/v1/metrics") ?? ""
      assert.match(metrics, /"name":"speedq\.loss","gauge":\{"dataPoints":\[\{"timeUnixNano":"\d{19}","asDouble":0\.5,/)
      assert.include(metrics, '{"key":"stage","value":{"stringValue":"01-toy"}}')
      assert.include(metrics, '{"key":"run","value":{"stringValue":"runs/toy"}}')
      const logs = bodies.get("/v1/logs") ?? ""
      assert.include(logs, '"severityText":"WARN","body":{"stringValue":"careful"}')
      assert.notInclude(logs, "step 3/9")
    }).pipe(Effect.scoped)
  )

  it.live(
    "that is not there neither fails the run nor keeps it waiting",
    () => withSink(Sinks.openTelemetry("http://127.0.0.1:9", "runs/toy"))(step(1, 2)).pipe(Effect.timeout("8 seconds")),
    10_000
  )
})
