/** Every kind of fixture and how it is checked. */
import type { Check } from "./Check.ts"
import { adaroundBlockCheck, adaroundScalesCheck, temperatureCheck } from "./checks/adaround.ts"
import { autocastAttentionCheck, autocastLinearCheck, autocastNetworkCheck } from "./checks/autocast.ts"
import { bilevelCheck } from "./checks/bilevel.ts"
import { blockApCheck } from "./checks/blockAp.ts"
import { clippingCheck } from "./checks/clipping.ts"
import { embeddingCheck, flatCheck, n2f3Check, uniformCheck } from "./checks/flatQuantizers.ts"
import { forwardCheck } from "./checks/forward.ts"
import { gptqCheck } from "./checks/gptq.ts"
import { preprocessCheck, tilingCheck } from "./checks/image.ts"
import { lossesCheck } from "./checks/losses.ts"
import { optimizerCheck } from "./checks/optimizer.ts"
import { shapesCheck } from "./checks/shapes.ts"
import { traceCheck } from "./checks/trace.ts"

export const checks: readonly Check[] = [
  bilevelCheck,
  uniformCheck,
  flatCheck,
  n2f3Check,
  embeddingCheck,
  clippingCheck,
  gptqCheck,
  lossesCheck,
  adaroundScalesCheck,
  temperatureCheck,
  adaroundBlockCheck,
  blockApCheck,
  optimizerCheck,
  tilingCheck,
  preprocessCheck,
  shapesCheck,
  forwardCheck,
  traceCheck,
  autocastLinearCheck,
  autocastAttentionCheck,
  autocastNetworkCheck
]
