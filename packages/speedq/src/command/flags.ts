/** Flags that several commands share. */

import type { BackendName } from "@speedq/tensors"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { shippedPath } from "../shipped/shipped.ts"
import { defaulted, repeated } from "./flagDefaults.ts"
import { pathArgument } from "./pathParam.ts"

const backendNames =
  "auto, native[:none|:PATH of a BLAS], gpujs[:webgpu|headlessgl|webasm|cpu], gpujs:webgpu+f16[x3], reference"
// Written out: the package of backends is not loaded to read a command line.
const isBackend = /^(auto|reference|native(:.+)?|gpujs(:(webgpu(\+f16(x3)?)?|headlessgl|webasm|cpu))?)$/

const backendFlag = Flag.String("backend").pipe(
  Flag.withMetavar("NAME"),
  Flag.filter(
    (name) => isBackend.test(name),
    () => backendNames
  ),
  Flag.map((name) => name as BackendName)
)

export const backend = backendFlag.pipe(defaulted(`what computes: ${backendNames}`, "auto"))

/** Of a plan, which starts none unless it is told to. */
export const plannedBackend = backendFlag.pipe(
  Flag.withDescription(`what the run would compute on: ${backendNames}; default: the processor`),
  Flag.optional
)

/** Of commands that ask a model; recipes say it themselves. */
export const arithmetic = Flag.Literals("arithmetic", ["f32", "bf16", "bf16-or-f32"]).pipe(
  defaulted(
    "how products and attention are computed: bf16 rounds their factors and sums in f32, and is refused where nothing multiplies bf16, unless f32 is allowed then",
    "f32"
  )
)

/** Of commands that ask a model. */
export const activations = Flag.Literals("activations", ["f32", "int8"]).pipe(
  defaulted(
    "of a packed model, what its codes are multiplied by for each new token: int8 rounds that to a byte, which is faster and nearly as good",
    "f32"
  )
)

/** A switch that is off unless it is given. */
export const off = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDescription(description), Flag.withDefault(false))

export const json = off("json", "print one JSON document on standard output, and nothing else there")

/** Reads gigabytes for a large model, so it is asked for. */
export const verify = off("verify", "first compare every file of the export with its digest in quantization.json")

export const settings = Flag.String("set").pipe(
  Flag.withMetavar("PATH=VALUE"),
  Flag.withDescription("change a value of the recipe, for example model=DIR, qat.maxSteps=3; may be repeated"),
  repeated
)

/** A whole number above 0. */
export const count = (name: string) =>
  Flag.Int(name).pipe(
    Flag.withMetavar("N"),
    Flag.filter(
      (value) => value > 0,
      () => "a whole number above 0"
    )
  )

/** Of commands that ask a model. */
export const maxTiles = count("max-tiles").pipe(
  Flag.withDescription("most tiles per picture; default: the model's own limit"),
  Flag.optional
)

/** The largest picture that is read. */
export const maxPixels = count("max-pixels").pipe(
  Flag.withDescription("refuse pictures, and rows of pictures, with more pixels; default: 178956970, Pillow's limit"),
  Flag.optional
)

export const seed = Flag.Int("seed").pipe(
  Flag.withMetavar("N"),
  Flag.filter(
    (value) => value >= 0 && value <= Number.MAX_SAFE_INTEGER,
    () => "a whole number of at least 0"
  )
)

/** A model that answers; `speedq:` paths are those of shipped files. */
export const model = pathArgument("model", "directory").pipe(
  Argument.withDescription("model directory: full precision, fake-quant, packed or quant_details"),
  Argument.map(shippedPath)
)
