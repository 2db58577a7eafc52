/** How many workgroups cover an extent, as GPU.js's text counts threads: its `_computeDispatch`. */
import { UnsupportedKernel } from "../../../core/Errors.ts"

type Triple = readonly [number, number, number]

interface Dispatch {
  readonly workgroups: Triple
  /** Of a row of workgroups along x, where one axis of threads is folded into several rows; 0 for two and three axes. */
  readonly threads: number
}

/** Of one axis the text finds its thread from the number of its row; more axes end at `most` workgroups each. Raises UnsupportedKernel. */
export const workgroupsOf = (
  { kernel, mode }: { readonly kernel: string; readonly mode: string },
  extent: readonly number[],
  size: Triple,
  most: number
): Dispatch => {
  const [x = 1, y = 1, z = 1] = extent
  let across = Math.ceil(x / size[0])
  let rows = Math.ceil(y / size[1])
  const layers = Math.ceil(z / size[2])
  if (extent.length === 1 && across > most) {
    rows = Math.ceil(across / most)
    across = Math.ceil(across / rows)
  }
  if (Math.max(across, rows, layers) > most) {
    throw new UnsupportedKernel(kernel, mode, `[${extent}] threads need more than ${most} workgroups along an axis`)
  }
  return { workgroups: [across, rows, layers], threads: extent.length === 1 ? across * size[0] : 0 }
}
