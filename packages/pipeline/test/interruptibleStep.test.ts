/** A step that waits for others: a run that is interrupted does not wait with it, and keeps what was done before. */
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { assert } from "vitest"
import { RunDirectory } from "../src/directory/RunDirectory.ts"
import * as Sinks from "../src/events/sinks/Sinks.ts"
import * as Recipe from "../src/run/Recipe.ts"
import * as Artefact from "../src/stage/Artefact.ts"
import * as Codec from "../src/stage/Codec.ts"
import * as Stage from "../src/stage/Stage.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { collect } from "./support/toyRun.ts"

const Answers = Artefact.make("answers", "what others answered", Codec.json(Schema.Array(Schema.String)))

/** Asks others three times; `answers` are what they say, `asked` what was waited for. */
const asking = (answers: readonly Deferred.Deferred<string>[], asked: number[]) =>
  Recipe.make({ name: "asking", model: "none" }).pipe(
    Recipe.andThen(
      Stage.define({
        name: "ask",
        version: 1,
        config: Schema.Struct({}),
        gives: [Answers],
        begin: () =>
          Effect.succeed(
            Stage.program({
              steps: 3,
              state: Codec.json(Schema.Array(Schema.String)),
              initial: Effect.succeed([]),
              step: (known: readonly string[], done) =>
                Effect.gen(function* () {
                  asked.push(done)
                  const answer = yield* Effect.interruptible(Deferred.await(answers[done]!))
                  return { state: [...known, answer], metrics: {} }
                }),
              isIntact: () => true,
              finish: (known: readonly string[]) => Effect.succeed({ output: { answers: known } })
            })
          )
      }).stage({})
    )
  )

describe("a step that waits for others", () => {
  it.live("ends with the run, which continues with the steps before it", () =>
    Effect.gen(function* () {
      const answers = yield* Effect.forEach(["a", "b", "c"], () => Deferred.make<string>())
      const asked: number[] = []
      const output = collect()
      const directory = join(temporaryDirectory(), "run")
      const run = Effect.provide(
        Recipe.run(asking(answers, asked)),
        Sinks.plainLines(output).pipe(
          Layer.provideMerge(RunDirectory.layer(directory)),
          Layer.provideMerge(NodeServices.layer)
        )
      )
      yield* Deferred.succeed(answers[0]!, "a")
      const fiber = yield* Effect.forkDetach(run)
      while (!asked.includes(1)) yield* Effect.sleep(5)
      const exit = yield* Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      yield* Deferred.succeed(answers[1]!, "b")
      yield* Deferred.succeed(answers[2]!, "c")
      assert.deepStrictEqual((yield* run).answers, ["a", "b", "c"])
      assert.deepStrictEqual(asked, [0, 1, 1, 2])
      assert.include(output.text(), "continuing after step 1 of 3")
    })
  )
})
