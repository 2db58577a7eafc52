/** The backend of a run as a service: started with the run, closed with it. */
import { type Backend, openBackend } from "@speedq/tensors"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { processBytes } from "../planning/memoryLimit.ts"

/** A backend could not be started as asked. */
export class ComputeUnavailable extends Schema.TaggedError<ComputeUnavailable>()("ComputeUnavailable", {
  backend: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `backend "${this.backend}": ${this.reason}`
  }
}

export interface ComputeOptions {
  /** As on the command line: "auto", "native", "native:none", "gpujs:webgpu", "reference". */
  readonly backend: string
  /** Bytes of this process; what it takes for itself is not the tensors'. */
  readonly memoryLimit?: number | undefined
}

/** Bytes for tensors within a process of `limit` bytes: none, or at least one, which no tensor fits in. */
const tensorBytes = (limit: number | undefined): number | undefined =>
  limit === undefined ? undefined : Math.max(1, limit - processBytes)

export class Compute extends Context.Service<Compute, { readonly backend: Backend }>()("speedq/Compute") {
  static readonly layer = ({ backend: name, memoryLimit }: ComputeOptions): Layer.Layer<Compute, ComputeUnavailable> =>
    Layer.effect(
      Compute,
      Effect.map(
        Effect.acquireRelease(
          Effect.tryPromise({
            try: () => openBackend(name, { memoryLimit: tensorBytes(memoryLimit) }),
            catch: (error) =>
              new ComputeUnavailable({
                backend: name,
                reason: error instanceof Error ? error.message : String(error)
              })
          }),
          (backend) => Effect.promise(() => backend.close())
        ),
        (backend) => ({ backend })
      )
    )

  /** The GPU where one answers, else the processor. */
  static readonly auto = Compute.layer({ backend: "auto" })
}

/** Memory that earlier stages have left free goes back to the system; nothing where a recipe runs without a backend. */
export const trimMemory: Effect.Effect<void> = Effect.map(
  Effect.serviceOption(Compute),
  Option.match({ onNone: () => {}, onSome: ({ backend }) => backend.trim() })
)
