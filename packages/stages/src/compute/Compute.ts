/** The backend of a run as a service: started with the run, closed with it. */
import { BetweenStages, processBytes, StageArithmetic, TensorMemory } from "@speedq/pipeline"
import { type ArithmeticChoice, type Backend, type BackendName, openBackend } from "@speedq/tensors"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { reasonOf } from "../Errors.ts"
import { meaningOn } from "./meaningOn.ts"

/** A backend could not be started as asked. */
export class ComputeUnavailable extends Schema.TaggedError<ComputeUnavailable>()("ComputeUnavailable", {
  backend: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `backend "${this.backend}": ${this.reason}`
  }
}

interface ComputeOptions {
  /** As on the command line: "auto", "native", "native:none", "gpujs:webgpu", "reference". */
  readonly backend: BackendName
  /** Bytes of this process; what it takes for itself is not the tensors'. */
  readonly memoryLimit?: number | undefined
  /** Bytes of a GPU's memory that tensors may take; what its driver tells when absent. */
  readonly deviceMemory?: number | undefined
  /** How it multiplies where no recipe says it. Default: f32. */
  readonly arithmetic?: ArithmeticChoice | undefined
}

/** Bytes for tensors within a process of `limit` bytes: none, or at least one, which no tensor fits in. */
const tensorBytes = (limit: number | undefined): number | undefined =>
  limit === undefined ? undefined : Math.max(1, limit - processBytes)

/** Where a backend's tensors lie, for the checks before work. */
const tensorMemory = ({ name, hardware }: Backend): Effect.Effect<TensorMemory | undefined> => {
  if (hardware === undefined) return Effect.succeed(undefined)
  const { largestBytes, overhead } = hardware
  return Effect.map(
    Effect.promise(() => hardware.memory()),
    (memory) => ({ device: name, largestBytes, overhead, ...memory })
  )
}

/** Whether a failure should say all that it can: a GPU then gets its kernels one at a time, so that an error names its kernel. */
export const Debugging = Context.Reference<boolean>("@speedq/stages/Debugging", { defaultValue: () => false })

export class Compute extends Context.Service<Compute, { readonly backend: Backend }>()("speedq/Compute") {
  /**
   * Between two stages, memory that the one before has left free goes back to the system; each stage computes in the arithmetic that
   * its recipe chooses.
   */
  static readonly layer = ({
    backend: name,
    memoryLimit,
    deviceMemory,
    arithmetic
  }: ComputeOptions): Layer.Layer<Compute, ComputeUnavailable> =>
    Layer.effectContext(
      Effect.gen(function* () {
        const debug = yield* Debugging
        const opened = Effect.tryPromise({
          try: () => openBackend(name, { memoryLimit: tensorBytes(memoryLimit), deviceMemory, arithmetic, debug }),
          catch: (error) => new ComputeUnavailable({ backend: name, reason: reasonOf(error) })
        })
        const backend = yield* Effect.acquireRelease(opened, (backend) => Effect.promise(() => backend.close()))
        return Context.make(Compute, { backend }).pipe(
          Context.add(
            BetweenStages,
            Effect.sync(() => backend.trim())
          ),
          Context.add(TensorMemory, tensorMemory(backend)),
          Context.add(StageArithmetic, {
            meaningOf: (choice) =>
              Effect.sync(() => meaningOn((wanted) => backend.withArithmetic(wanted).name, choice)),
            within: (arithmetic) => (work) =>
              Effect.suspend(() =>
                Effect.provideService(work, Compute, { backend: backend.withArithmetic(arithmetic) })
              )
          })
        )
      })
    )

  /** The GPU where one answers, else the processor. */
  static readonly auto = Compute.layer({ backend: "auto" })
}
