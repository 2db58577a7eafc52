/** Bilevel fake quantization of a weight of InternVL3-1B, forward and backward. */
import { bilevelParameters, makeNativeBackend } from "@speedq/tensors"
import { kernelCall, kernelNamed } from "./kernelCall.ts"
import { alternate, type Flags, machine, normal } from "./measure.ts"

export const fakequant = async (flags: Flags) => {
  const backend = await makeNativeBackend(flags.has("threads") ? { threads: flags.number("threads", 1) } : {})
  const shape = [4864, 896]
  const [bits, group, scaleGroup] = [
    flags.number("bits", 2),
    flags.number("group", 16),
    flags.number("scale-group", 16)
  ]
  const attributes = { bits, group, scaleGroup, secondLevel: "f32", commonScale: "exact", arithmetic: "f32" } as const
  const weight = normal(backend, shape, 0.02)
  const dy = normal(backend, shape)
  const { scale, zero } = bilevelParameters(weight, attributes)
  const forward = kernelCall(backend, kernelNamed("fakeQuantBilevel"), { weight }, attributes)
  const gradient = kernelNamed("fakeQuantBilevelGradient")
  const backward = kernelCall(backend, gradient, { dy, weight, scale, zero }, attributes)
  const [forward_ms, backward_ms] = await alternate([forward.run, backward.run], flags.number("rounds", 15), 5)
  const { threads, simd } = backend.description
  await backend.close()
  return { case: "fakequant", ...machine(), threads, simd, shape, bits, group, forward_ms, backward_ms }
}
