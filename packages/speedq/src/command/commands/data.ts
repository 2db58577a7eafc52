/** `speedq data check`: reads everything that a recipe trains on, before it does. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { DataNotTrainable } from "../../Errors.ts"
import { shippedPath } from "../../shipped/shipped.ts"
import { defaulted } from "../flagDefaults.ts"
import { count, json, off, settings } from "../flags.ts"
import { givenHere } from "../givenHere.ts"
import { print, printJson, remark } from "../output.ts"
import { pathArgument, pathFlag } from "../pathParam.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"

const check = Command.make(
  "check",
  {
    named: pathArgument("recipe-or-meta", "either").pipe(
      Argument.withDescription(
        "recipe or ablation, as for speedq plan, or the JSON meta file of a mixture, for which --model is needed"
      )
    ),
    set: settings,
    model: pathFlag("model", "DIR", "directory").pipe(
      Flag.withDescription("of a meta file: directory of the model whose tokenizer and config count"),
      Flag.map(shippedPath),
      Flag.optional
    ),
    maxLength: count("max-length").pipe(
      Flag.withDescription("of a meta file: longest sample in tokens, as the option maxLength of a stage's data"),
      Flag.optional
    ),
    maxTiles: count("max-tiles").pipe(
      Flag.withDescription("of a meta file: most tiles of a picture, as the option maxTiles of a stage's data"),
      Flag.optional
    ),
    decode: off("decode", "decode every picture and video, which finds those whose pixels are damaged; takes longer"),
    preview: count("preview").pipe(
      Flag.withDescription("write a page that shows N samples as the model will see them"),
      Flag.optional
    ),
    previewOut: pathFlag("preview-out", "FILE", "file").pipe(defaulted("the page of --preview", "data-preview.html")),
    out: pathFlag("out", "FILE", "file").pipe(
      Flag.withDescription("write every line that is named, with its reason, as JSON Lines"),
      Flag.optional
    ),
    plugins,
    json
  },
  Effect.fn("speedq data check")(
    function* ({ named, set, decode, previewOut, json, ...given }) {
      const { checkTarget } = yield* Effect.promise(() => import("../../data/checkTarget.ts"))
      const { checkAll } = yield* Effect.promise(() => import("../../data/checkAll.ts"))
      const { checkJson, problemsOf } = yield* Effect.promise(() => import("../../data/checkJson.ts"))
      const { describeChecks } = yield* Effect.promise(() => import("../../data/describeCheck.ts"))
      const here = givenHere()
      const checked = yield* checkTarget({
        ...{ named, settings: set, model: Option.getOrUndefined(given.model) },
        ...{ maxLength: Option.getOrUndefined(given.maxLength), maxTiles: Option.getOrUndefined(given.maxTiles) }
      })
      const page = here(previewOut)
      const preview = Option.map(given.preview, (samples) => ({ samples, file: page }))
      const out = Option.getOrUndefined(Option.map(given.out, here))
      const found = yield* checkAll(checked, { decode, preview: Option.getOrUndefined(preview), out })
      const written = Option.isSome(preview) ? page : undefined
      yield* json ? printJson(checkJson(named, found, written)) : print(describeChecks(named, found))
      if (written !== undefined) yield* remark(`the preview is in ${written}`)
      const { length: problems } = problemsOf(found)
      if (problems > 0) return yield* new DataNotTrainable({ problems })
    },
    Effect.scoped,
    withPlugins
  )
).pipe(
  Command.withShortDescription("Read everything that a recipe trains on, and name each bad line"),
  Command.withDescription(
    'Reads every record that the stages of a recipe select, with their options and the model\'s tokenizer: counts, lengths, tiles, what is cut off, and each line that cannot be used or from which nothing is learned, with its reason. Calibration images and text and the files of benchmarks are looked at, too. Of pictures it reads the headers, with --decode the pixels too. Exits with 1 where a stage would end: records that cannot be used where data.onError is "fail"; so many of them that none takes their places where it is "substitute"; nothing to learn from. Of a meta file all records are read, and any that cannot be used is a failure.'
  ),
  Command.withExamples([
    { command: "speedq data check nano-2bit --preview 8" },
    { command: "speedq data check my-recipe.json --set qat.data.onError=substitute --decode --out bad-lines.jsonl" },
    { command: "speedq data check datasets.json --model models/InternVL3-1B --max-length 4096" }
  ])
)

export const data = Command.make("data").pipe(
  Command.withShortDescription("Check training data"),
  Command.withDescription("Looks at training data before anything is trained."),
  Command.withExamples([{ command: "speedq data check nano-2bit", description: "all that the recipe trains on" }]),
  Command.withSubcommands([check])
)
