/** A backend in the arithmetic that was chosen. */
import type { ArithmeticChoice } from "../core/Arithmetic.ts"
import type { Backend } from "../core/Backend.ts"
import { BackendUnavailable } from "../core/Errors.ts"

/**
 * The backend in the arithmetic that `choice` means on it: its `arithmetic` and name say which. Raises BackendUnavailable for "bf16"
 * where it has none.
 *
 * @example
 * const backend = chooseArithmetic(await openBackend("native"), "bf16-or-f32")
 */
export const chooseArithmetic = (backend: Backend, choice: ArithmeticChoice): Backend => {
  if (choice !== "bf16-or-f32") return backend.withArithmetic(choice)
  try {
    return backend.withArithmetic("bf16")
  } catch (error) {
    if (error instanceof BackendUnavailable) return backend.withArithmetic("f32")
    throw error
  }
}
