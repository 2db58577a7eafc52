/** Progress events of a run in a program's own log, one JSON document a line. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { AdaRoundVit, bilevel, Recipe, Run, rule, shippedFile } from "speedq"

const recipe = Recipe.make({ name: "logged", model: shippedFile("data/nano/model"), seed: 7 }).pipe(
  Recipe.andThen(
    AdaRoundVit.stage({
      images: shippedFile("data/nano/calibration-images.txt"),
      count: 2,
      iterations: 0,
      quantizers: [rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))]
    })
  )
)

const logged = Run.events(recipe, { directory: "runs/logged" }).pipe(
  Stream.runForEach(({ at, stage, tag, json }) =>
    Effect.sync(() => console.log(JSON.stringify({ at, stage, event: tag, ...json() })))
  )
)
Run.main(logged)
