/** Every kind of fixture and how it is checked. */
import type { Check } from "./Check.ts"
import { forwardCheck } from "./checks/forward.ts"

export const checks: readonly Check[] = [forwardCheck]
