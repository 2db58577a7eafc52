/** Every kernel. The conformance suite, the benchmarks and FEATURES.md walk this list. */
import type { AnyKernel } from "../Kernel.ts"
import { adaroundScalesKernel } from "./adaroundScales/definition.ts"
import { addKernel } from "./add/definition.ts"
import { addIntoKernel } from "./addInto/definition.ts"
import { clampGroupsKernel } from "./clampGroups/definition.ts"
import { clipSearchKernel, gramKernel } from "./clipSearch/definition.ts"
import {
  bilevelCodesKernel,
  bilevelDecodeKernel,
  fakeQuantBilevelGradientKernel,
  fakeQuantBilevelKernel
} from "./fakeQuantBilevel/definition.ts"
import { geluGradientKernel, geluKernel } from "./gelu/definition.ts"
import { matmulKernel } from "./matmul/definition.ts"
import { writeRowsKernel } from "./writeRows/definition.ts"

export const kernels: readonly AnyKernel[] = [
  addKernel,
  addIntoKernel,
  geluKernel,
  geluGradientKernel,
  matmulKernel,
  writeRowsKernel,
  fakeQuantBilevelKernel,
  fakeQuantBilevelGradientKernel,
  bilevelCodesKernel,
  bilevelDecodeKernel,
  gramKernel,
  clipSearchKernel,
  clampGroupsKernel,
  adaroundScalesKernel
]
