/**
 * speedq: SPEED-Q (arXiv:2511.08914) in code. Recipes of typed stages, run in a directory, interrupted and continued; quantizers,
 * losses, export formats and benchmarks of your own beside ours.
 *
 * @example
 * import { AdaRoundVit, bilevel, Export, Qat, Recipe, rule, Run, TrainProjector } from "speedq"
 *
 * const w2 = [rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))]
 * const recipe = Recipe.make({ name: "mine", model: "models/InternVL3-1B" }).pipe(
 *   Recipe.andThen(AdaRoundVit.stage({ images: "images.txt", quantizers: w2 })),
 *   Recipe.andThen(TrainProjector.stage({ data: { meta: "datasets.json" } })),
 *   Recipe.andThen(Qat.stage({ data: { meta: "datasets.json" }, quantizers: w2 })),
 *   Recipe.andThen(Export.stage({ format: "packed" }))
 * )
 * Run.main(Run.start(recipe, { directory: "runs/mine" }))
 */

// Losses, export formats and benchmarks
export { cakld, crossEntropy, type Loss, losses, type RowLoss, weighted } from "@speedq/distillation"
export { type Benchmark, benchmarks } from "@speedq/evaluation"
export { ExportDamaged, type Exporter, ExportUnverifiable, exporters, verifyExport } from "@speedq/exports"
// Options of one's own stages, quantizers and formats
export { option, optionalOption, requiredOption } from "@speedq/formats"
// Recipes and runs
export {
  Artefact,
  Codec,
  type Entry,
  Events,
  emit,
  eventKind,
  Forecast,
  isEntryOf,
  NotARunDirectory,
  PreflightFailed,
  Recipe,
  RecipeInvalid,
  Report,
  RunEvents,
  RunLocked,
  SavedFileDamaged,
  Sinks,
  Stage,
  StageFailed,
  StorageFailed
} from "@speedq/pipeline"

// Quantizers and rules
export {
  bilevel,
  choice,
  configure,
  embeddingSym4,
  flatAsymmetric,
  mixQuant,
  n2f3,
  none,
  type Quantizer,
  type QuantizerChoice,
  QuantizerMissing,
  QuantizerVersionDiffers,
  quantizers,
  type RuleInput,
  rule,
  uniform
} from "@speedq/quantizers"
// Stages, and what they hand to each other
export {
  AdaRoundLanguage,
  AdaRoundVit,
  AllocateBits,
  Allocation,
  Autoclip,
  Awq,
  Blockwise,
  BlockwiseVit,
  ClippingRanges,
  Compute,
  ComputeFailed,
  ComputeUnavailable,
  computing,
  DataUnusable,
  definePlugin,
  Evaluate,
  EvaluationFailed,
  Export,
  ExportedModel,
  type ExtensionLists,
  Extensions,
  Gptq,
  ImportVit,
  JointQat,
  ModelUnreadable,
  NonFiniteGradient,
  NothingToLearn,
  owned,
  owningState,
  type Plugin,
  PluginFailed,
  PluginInvalid,
  Qat,
  QuantizedLanguage,
  QuantizedVision,
  RoundLanguage,
  RulesInvalid,
  SampleWorkers,
  stages,
  TrainedProjector,
  TrainProjector,
  withExtensions
} from "@speedq/stages"
export { runCommandLine } from "./command/speedq.ts"
// Models
export { NoRun, OutputExists, RecipeMissing, RecipeUnreadable, WrongUsage } from "./Errors.ts"
export { type RandomModel, writeRandomModel } from "./init/writeRandomModel.ts"
export { ModuleUnreadable } from "./modules/ModuleUnreadable.ts"
export * as Run from "./run/Run.ts"
export { shippedFile } from "./shipped/shipped.ts"
