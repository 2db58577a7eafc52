/** Every kernel's samples on a backend against the reference, without a test runner: for machines that have none. */
import {
  type AnyKernel,
  apply,
  type Backend,
  kernels,
  makeReferenceBackend,
  Random,
  type Sample,
  type Tensor,
  type Tolerance,
  tensor
} from "@speedq/tensors"

/** Tolerance where a kernel names none, or a narrower one that is not exact. */
const usual: Tolerance = { relative: 1e-3, absolute: 1e-5 }

export interface Check {
  /** Names of kernels; default all. */
  readonly only?: readonly string[]
  /** Tolerance where a kernel's own is narrower and not exact. */
  readonly atLeast?: Tolerance
}

type Named = { readonly [name: string]: Tensor }

const upload = (backend: Backend, sample: Sample<object>): Named =>
  Object.fromEntries(
    Object.entries(sample.inputs).map(([name, { shape, dtype = "f32", values }]) => [
      name,
      tensor(backend, Array.from(values), shape, dtype)
    ])
  )

/** Outputs and updated operands of one call. */
const runOn = async (backend: Backend, kernel: AnyKernel, sample: Sample<object>) => {
  const inputs = upload(backend, sample)
  const outputs = apply(kernel, inputs, sample.attributes)
  const updated = Object.fromEntries(Object.entries(inputs).filter(([name]) => kernel.inputs[name]?.updated))
  const results: { [name: string]: ArrayLike<number> } = {}
  for (const [name, result] of Object.entries({ ...outputs, ...updated })) results[name] = await result.read()
  for (const held of [...Object.values(inputs), ...Object.values(outputs)]) held.release()
  return results
}

/** What is wrong with `actual`, in the worst place, or undefined. */
const missOf = (
  kernel: AnyKernel,
  least: Tolerance,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>
): string | undefined => {
  const own = kernel.tolerance ?? least
  const exact = own.relative === 0 && own.absolute === 0
  const relative = exact ? 0 : Math.max(own.relative, least.relative)
  const absolute = exact ? 0 : Math.max(own.absolute, least.absolute)
  let wrong = 0
  let worst = -1
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!]
    if (a === e || (Number.isNaN(a) && Number.isNaN(e)) || Math.abs(a - e) <= absolute + relative * Math.abs(e))
      continue
    if (wrong++ === 0 || Math.abs(a - e) > Math.abs(actual[worst]! - expected[worst]!)) worst = i
  }
  return wrong === 0 ? undefined : `${wrong} of ${expected.length} elements, ${actual[worst]} for ${expected[worst]}`
}

/** How many samples of all kernels agree, and what is wrong with the others. */
export const checkKernels = async (
  backend: Backend,
  { only, atLeast = usual }: Check = {}
): Promise<{ readonly agree: number; readonly wrong: string[] }> => {
  const reference = makeReferenceBackend()
  const wrong: string[] = []
  let agree = 0
  for (const kernel of kernels.filter(({ name }) => only?.includes(name) ?? true)) {
    for (const sample of kernel.samples(Random.make(11, kernel.name)) as readonly Sample<object>[]) {
      try {
        const [actual, expected] = [await runOn(backend, kernel, sample), await runOn(reference, kernel, sample)]
        const misses = Object.keys(expected).flatMap((name) => {
          const miss = missOf(kernel, atLeast, actual[name]!, expected[name]!)
          return miss ? [`${kernel.name} (${sample.name}) ${name}: ${miss}`] : []
        })
        wrong.push(...misses)
        if (misses.length === 0) agree++
      } catch (error) {
        wrong.push(`${kernel.name} (${sample.name}): ${String(error)}`)
      }
    }
  }
  return { agree, wrong }
}
