/** The kernels of quantization, of AdaRound and of the losses over the vocabulary, at the sizes of InternVL3-1B. */
import {
  adaroundInitial,
  adaroundScales,
  type Backend,
  bilevelCodes,
  bilevelParameters,
  codebookParameters,
  makeNativeBackend,
  type Shape,
  type Tensor,
  tensor,
  uniformParameters
} from "@speedq/tensors"
import { kernelCall, kernelNamed } from "./kernelCall.ts"
import { alternate, type Flags, machine, normal } from "./measure.ts"

interface Contest {
  readonly kernel: string
  readonly tensors: { readonly [name: string]: Tensor }
  readonly attributes: object
}

const linear: Shape = [4864, 896]
/** All Linears of a block of the vision tower. */
const block: Shape = [12288, 1024]
const [answers, vocabulary] = [64, 151674] as const
const beta = 0.5

const quantizers = (backend: Backend, bits: 2 | 4): readonly Contest[] => {
  const [group, scaleGroup] = bits === 2 ? [16, 16] : [32, 128]
  const weight = normal(backend, linear, 0.02)
  const dy = normal(backend, linear)
  const bilevel = {
    bits,
    group,
    scaleGroup,
    secondLevel: "f16",
    commonScale: "exact",
    arithmetic: "f32"
  } as const
  const uniform = {
    bits,
    group,
    symmetric: false,
    rounding: "sum",
    roundZero: true,
    rangeGradient: true
  } as const
  const codebook = { group, levels: [-1, -0.5, -0.25, 0, 0.2, 0.4, 0.6, 1] }
  const [twoLevels, oneLevel] = [bilevelParameters(weight, bilevel), uniformParameters(weight, uniform)]
  const sides = codebookParameters(weight, codebook)
  const scales = ({ scale, zero }: { readonly scale: Tensor; readonly zero: Tensor }) => ({ dy, weight, scale, zero })
  const { negative, positive } = sides
  return [
    { kernel: "fakeQuantBilevel", tensors: { weight }, attributes: bilevel },
    { kernel: "fakeQuantBilevelGradient", tensors: scales(twoLevels), attributes: bilevel },
    { kernel: "bilevelCodes", tensors: { weight }, attributes: bilevel },
    { kernel: "bilevelDecode", tensors: bilevelCodes(weight, bilevel), attributes: bilevel },
    { kernel: "fakeQuantUniform", tensors: { weight }, attributes: uniform },
    { kernel: "fakeQuantUniformGradient", tensors: scales(oneLevel), attributes: uniform },
    { kernel: "fakeQuantCodebook", tensors: { weight }, attributes: codebook },
    { kernel: "fakeQuantCodebookGradient", tensors: { dy, weight, negative, positive }, attributes: codebook }
  ]
}

const adaround = (backend: Backend): readonly Contest[] => {
  const [weight, dy] = [normal(backend, block, 0.02), normal(backend, block, 1e-3)]
  const search = { bits: 2, group: 16, method: "mse" } as const
  const { scale, zero } = adaroundScales(weight, { ...search, method: "max" })
  const alpha = adaroundInitial(weight, scale)
  const operands = { weight, scale, zero, alpha }
  const soft = { bits: 2, group: 16, hard: false }
  const adam = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 10 }
  const step = { ...adam, bits: 2, group: 16, lambda: 0.01, exponent: 11 }
  const [m, v] = [normal(backend, block, 0), normal(backend, block, 0)]
  return [
    { kernel: "adaroundScales", tensors: { weight }, attributes: search },
    { kernel: "adaroundWeight", tensors: operands, attributes: soft },
    { kernel: "adaroundWeightGradient", tensors: { dy, ...operands }, attributes: soft },
    { kernel: "adaroundStep", tensors: { ...operands, m, v, dy }, attributes: step }
  ]
}

const losses = (backend: Backend): readonly Contest[] => {
  const rows: Shape = [answers, vocabulary]
  const [student, teacher] = [normal(backend, rows, 3), normal(backend, rows, 3, 2)]
  const gradient = normal(backend, rows, 0)
  const weights = normal(backend, [answers])
  const labels = tensor(backend, Int32Array.from({ length: answers }).fill(7), [answers], "i32")
  return [
    { kernel: "confidenceRows", tensors: { logits: teacher }, attributes: {} },
    {
      kernel: "crossEntropyRows",
      tensors: { logits: student, labels, weights, gradient },
      attributes: { smoothing: 0.1 }
    },
    { kernel: "klRows", tensors: { student, teacher, weights, gradient }, attributes: { beta, temperature: 1 } }
  ]
}

export const quantization = async (flags: Flags) => {
  const backend = await makeNativeBackend(flags.has("threads") ? { threads: flags.number("threads", 1) } : {})
  const rows: unknown[] = []
  const suites = [
    () => quantizers(backend, 2),
    () => quantizers(backend, 4),
    () => adaround(backend),
    () => losses(backend)
  ]
  for (const suite of suites) {
    const contests = suite()
    for (const { kernel, tensors, attributes } of contests) {
      const call = kernelCall(backend, kernelNamed(kernel), tensors, attributes)
      const [ms] = await alternate([call.run], flags.number("rounds", 5))
      const { shape } = Object.values(tensors)[0]!
      rows.push({ kernel, shape, attributes, ms, gbPerSecond: call.bytes / ms! / 1e6 })
    }
    for (const made of new Set(contests.flatMap(({ tensors }) => Object.values(tensors)))) made.release()
  }
  const { threads, simd } = backend.description
  await backend.close()
  return { case: "quantization", ...machine(), threads, simd, rows }
}
