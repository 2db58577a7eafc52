/**
 * The part of a recipe that is not its stages. Only `seed`, `arithmetic` and `features.numbers` change results by themselves: the
 * bytes of model, parts and teacher count by their fingerprint, `compat` by the stages that take it over.
 */
import { option, optionalOption, requiredOption } from "@speedq/formats"
import * as Schema from "effect/Schema"
import { Name } from "../directory/Name.ts"
import { Compatibility, Count, CountOrNone, Positive } from "./options.ts"

/** When a running stage saves its state. */
export const SavePolicy = Schema.Struct({
  everySteps: optionalOption(Count, { description: "Saves after so many steps.", unit: "steps" }),
  everySeconds: option(Positive, 300, {
    description: "Saves after so many seconds.",
    unit: "seconds",
    source: "chosen here: a stop without warning costs five minutes at most"
  })
})
export interface SavePolicy extends Schema.Schema.Type<typeof SavePolicy> {}

/** How products and attention are computed: as they are, or with factors rounded to bf16 and sums in f32. */
export const ArithmeticChoice = Schema.Literals(["f32", "bf16", "bf16-or-f32"])
export type ArithmeticChoice = typeof ArithmeticChoice.Type

/** Weights that are taken from elsewhere than the model's directory. */
const Parts = Schema.Struct({
  vision: optionalOption(Schema.NonEmptyString, {
    description: "Weights of the vision tower; in the reference `vision_path`."
  }),
  projector: optionalOption(Schema.NonEmptyString, {
    description: "Weights of the projector; in the reference `mlp_path`."
  }),
  language: optionalOption(Schema.NonEmptyString, {
    description: "Weights of the language model, embedding and head included; in the reference `llm_path`."
  })
})

/** Features of frozen vision towers. Where they lie changes no result; how they are rounded does. */
const Features = Schema.Struct({
  directory: optionalOption(Schema.NonEmptyString, {
    description:
      "Where features are kept on disk, found by digests of the tower's weights and of the tile's pixels. Runs, and processes at one time, may share it.",
    source: "nowhere",
    policy: true
  }),
  limit: option(Schema.ByteSizeFromString, "20 GiB", {
    description: "Most bytes that features take there; those that were used longest ago make room.",
    unit: "bytes, as in 512 MiB",
    source: "chosen here: 5,000 tiles of InternVL3 in f32, 10,000 in bf16",
    policy: true
  }),
  numbers: option(Schema.Literals(["f32", "bf16"]), "f32", {
    description:
      "`f32` keeps features as they are. `bf16` rounds them, which halves their size; training stages see them rounded whether they come from the disk or not, and have another key.",
    source: "f32, which changes no result"
  })
})

export const RecipeSettings = Schema.Struct({
  name: requiredOption(Name, { description: "Name of the recipe, for run directories and reports." }),
  model: requiredOption(Schema.String, { description: "Directory of the model to start from." }),
  parts: optionalOption(Parts, {
    description:
      "Parts of the model whose weights come from elsewhere: a file (safetensors, or torch pickles, which are not executed) or a directory with a checkpoint. Config and tokenizer stay those of `model`.",
    source: "the model's own weights"
  }),
  teacher: optionalOption(Schema.NonEmptyString, {
    description:
      "Directory of the full-precision model that training distils from and measures the confidence of, and that evaluations measure the divergence from. Its tokenizer and tiles must be those of the model.",
    source: "the model itself"
  }),
  seed: option(CountOrNone, 42, {
    description: "Seed of everything that is drawn at random; each stage derives its own from it.",
    source: "the reference's scripts"
  }),
  compat: optionalOption(Compatibility, {
    description:
      "`compat` of every stage that has this option and does not set it: `reference` repeats the reference quirk by quirk.",
    source: "careful: docs/quirks.md"
  }),
  arithmetic: optionalOption(Schema.Union([ArithmeticChoice, Schema.Record(Schema.String, ArithmeticChoice)]), {
    description:
      'Arithmetic of matrix products and attention, forward and back, of all stages, or of stages by name as in `{ "qat": "bf16" }`: `f32`, or `bf16`, which rounds their factors to bf16 and sums in f32. All else stays f32: weights, norms, softmax, losses, optimizer, fake quantization. `bf16` is refused where nothing multiplies it, `bf16-or-f32` computes in f32 then. A stage in another arithmetic has another key.',
    source: "f32"
  }),
  save: option(
    SavePolicy,
    {},
    { description: "When a running stage saves its state: at whichever of these comes first.", policy: true }
  ),
  memory: optionalOption(
    Schema.Struct({
      limit: optionalOption(Schema.ByteSizeFromString, {
        description: "Most memory that a run may take, as in `4 GiB`; of the host, where tensors lie on a GPU.",
        unit: "bytes",
        source: "the machine's memory"
      }),
      device: optionalOption(Schema.ByteSizeFromString, {
        description:
          "Most memory of a GPU that tensors may take, as in `16 GiB`: for `gpujs:webgpu`, which does not tell how much there is (docs/webgpu.md#memory).",
        unit: "bytes",
        source: "what the GPU's driver tells, where it tells it"
      })
    }),
    {
      description: "A run that would need more memory is refused before it starts.",
      source: "the machine's memory",
      policy: true
    }
  ),
  features: optionalOption(Features, {
    description:
      "How training stages keep what frozen vision towers make of tiles. With a directory, a tile passes a tower once for all epochs, stages and runs that share it (docs/method.md#features-of-frozen-towers).",
    source: "in the memory of each stage alone: its `featureCache`"
  })
})
export interface RecipeSettings extends Schema.Schema.Type<typeof RecipeSettings> {}
