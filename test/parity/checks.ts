/** Every kind of fixture and how it is checked. */
import type { Check } from "./Check.ts"
import { adaroundBlockCheck, adaroundScalesCheck, temperatureCheck } from "./checks/adaround.ts"
import { bilevelCheck } from "./checks/bilevel.ts"
import { forwardCheck } from "./checks/forward.ts"
import { lossesCheck } from "./checks/losses.ts"

export const checks: readonly Check[] = [
  forwardCheck,
  bilevelCheck,
  lossesCheck,
  adaroundScalesCheck,
  temperatureCheck,
  adaroundBlockCheck
]
