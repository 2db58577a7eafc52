/**
 * The work of a stage that quantizes the model block after block, on what calibration records are before each: a step is a block. The
 * inputs of a block come through the blocks before it, as they were quantized or as they are.
 */
import { packedWeights, releasePacked, releaseParameters } from "@speedq/exports"
import { emit, type Report, RunEvents, Stage } from "@speedq/pipeline"
import type { PackedWeights, QuantizerChoice, RowFactors } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import type { Weights } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { CalibratedInput } from "../calibration/calibratedStage.ts"
import { leaveSeen } from "../calibration/leaveSeen.ts"
import { seenTogether } from "../calibration/seen.ts"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import { layersSection, measuredFact } from "../model/layerFact.ts"
import { blocksToQuantize, layersOfBlock, type ModelBlock } from "../model/modelBlocks.ts"
import { type PlannedLayers, planEmbeddings, quantizing } from "../model/plannedLayers.ts"
import { requireQuantizable } from "../model/requireQuantizable.ts"
import { roundedMatrices } from "../model/roundedMatrices.ts"
import type { openRecipeModel } from "../model/SourceModel.ts"
import { owned, owningState } from "../model/stageMemory.ts"
import { type BlockInputs, makeBlockInputs } from "./BlockInputs.ts"
import { isBalanced, requireDecoder } from "./balancing.ts"
import { measureSensitivities } from "./measureSensitivities.ts"
import { rowFactorsOf, sensitivitySection } from "./modalityWeights.ts"
import type { PosttrainingConfig } from "./PosttrainingConfig.ts"
import { type LayerRow, type PosttrainingState, posttrainingCodec } from "./PosttrainingState.ts"

/** A block that is to be quantized, its inputs there. */
export interface OpenBlock {
  readonly block: ModelBlock
  /** Of the layers that are to be quantized. */
  readonly choices: ReadonlyMap<string, QuantizerChoice>
  /** The block's own are those of the original model. */
  readonly weights: Weights
  readonly inputs: Pick<BlockInputs, "observe" | "sequences">
  /** Roots of the weights of the rows that a Linear of a decoder layer reads; left out where rows count alike. */
  readonly rowFactors?: RowFactors | undefined
}

/** What became of a block. The state takes it over. */
export interface QuantizedBlock {
  readonly packed: PackedWeights
  readonly parameters: Parameters
  readonly rows: readonly LayerRow[]
}

/** What the stage has at its end. */
interface Done {
  /** Layers that it quantized itself. */
  readonly own: PackedWeights
  /** Those of the vision tower that a stage before quantized, and it did not. */
  readonly kept: PackedWeights
  readonly parameters: Parameters
}

interface PosttrainingMethod<Output> {
  /** Its name in the report. */
  readonly name: string
  /** Whether the inputs of a block come through the blocks before it as they were quantized, or as they are. */
  readonly through: "quantized" | "original"
  /** Raises what quantizers and backends raise; nothing stays allocated then. */
  readonly quantize: (open: OpenBlock) => Promise<QuantizedBlock>
  readonly output: (done: Done, embeddings: PlannedLayers["choices"]) => Output
}

interface ProgramOptions<Output> {
  readonly config: PosttrainingConfig
  readonly input: CalibratedInput
  readonly context: Stage.StageContext
  readonly model: Effect.Success<ReturnType<typeof openRecipeModel>>
  readonly linears: PlannedLayers
  readonly method: PosttrainingMethod<Output>
}

export const posttrainingProgram = Effect.fnUntraced(function* <Output>(options: ProgramOptions<Output>) {
  const { config, input, context, model, linears, method } = options
  const { backend } = yield* Compute
  const { directory } = model
  const { calibration, samples: documents, compat } = config
  const choices = quantizing(linears.choices)
  const embedded = yield* planEmbeddings(directory.config, config.embeddings, compat)
  yield* requireQuantizable(model.weights, new Map([...choices, ...embedded.choices]))
  const frozen = yield* owned(
    Effect.sync(() => roundedMatrices(model.weights, embedded.choices)),
    releaseParameters
  )
  const { packed: given = new Map(), values = {} } = input.quantizedVision ?? {}
  const kept = new Map([...given].filter(([layer]) => !choices.has(layer)))
  const others = [values, { ...input.projector }, frozen, model.weights]
  const records = { data: calibration, documents, compat, stage: context }
  const inputs = yield* owned(
    Effect.sync(() => makeBlockInputs({ backend, directory, memoryBudget: Number(config.cache), records })),
    ({ close }) => close()
  )
  const blocks = blocksToQuantize(directory.config, choices)
  yield* requireDecoder(config, blocks)

  const step = Effect.fnUntraced(function* (state: PosttrainingState, done: number) {
    const block = blocks[done]!
    const quantized = method.through === "quantized" ? state.packed : new Map()
    const weights = packedWeights(new Map([...kept, ...quantized]), ...others)
    yield* inputs.enter(block, weights, state.seen === undefined)
    const { sensitivities } = state
    const rowFactors =
      sensitivities && block.tower === "language"
        ? rowFactorsOf(sensitivities, directory.config.llm_config, block.index, inputs.sequences())
        : undefined
    const made = yield* computing(() =>
      method.quantize({ block, choices: layersOfBlock(choices, block.name), weights, inputs, rowFactors })
    )
    const seen = inputs.seen()
    for (const fact of factsOf(made.rows, choices, made.packed)) yield* emit(RunEvents.LayerQuantized, fact)
    const next: PosttrainingState = {
      packed: new Map([...state.packed, ...made.packed]),
      parameters: { ...state.parameters, ...made.parameters },
      rows: [...state.rows, ...made.rows],
      seen: seen && seenTogether(state.seen, seen),
      sensitivities
    }
    // Errors of one block after another are no curve; each is told by its event, and stands in the report.
    return { state: next, metrics: {} }
  })

  const program = Stage.program({
    steps: blocks.length,
    state: posttrainingCodec,
    initial: Effect.map(
      isBalanced(config) ? measureSensitivities({ backend, model, records }) : Effect.succeed(undefined),
      (sensitivities): PosttrainingState => ({
        ...{ packed: new Map(), parameters: {}, rows: [], seen: undefined },
        sensitivities
      })
    ),
    step,
    isIntact: () => true,
    finish: Effect.fnUntraced(function* ({ packed, parameters, rows, seen, sensitivities }: PosttrainingState) {
      const weighted = sensitivities ? ", tokens of the decoder weighted by modality" : ""
      const errors = `mean squared error of an output, the weight rounded to nearest and by ${method.name}${weighted}`
      const { sections, files } = yield* leaveSeen(seen, calibration, context.directory)
      return {
        output: method.output({ own: packed, kept, parameters }, embedded.choices),
        report: [
          ...layersSection(factsOf(rows, choices, packed), errors),
          ...(sensitivities ? [sensitivitySection(sensitivities)] : []),
          ...sections
        ],
        files
      }
    })
  })
  return yield* owningState(program, ({ packed, parameters }) => {
    releasePacked(packed)
    releaseParameters(parameters)
  })
})

const factsOf = (
  rows: PosttrainingState["rows"],
  choices: ReadonlyMap<string, QuantizerChoice>,
  packed: PackedWeights
): readonly Report.LayerFact[] =>
  rows.map(({ layer, nearest: before, quantized: after }) =>
    measuredFact(layer, choices.get(layer), { before, after }, packed.get(layer)!.bytes)
  )
