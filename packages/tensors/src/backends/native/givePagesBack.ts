/** Gives pages of a WebAssembly memory back to the system, which WebAssembly itself has no way to do. */
import { platform } from "#system/machine"
import { hasKoffi } from "../installedPackages.ts"
import { requireKoffi } from "../optionalPackages.ts"

const dontNeed = 4
const systemPage = 4096

type Give = (memory: Uint8Array, offset: number, bytes: number) => void

/**
 * The pages that lie wholly in the range hold zeros afterwards and take no memory until they are written again.
 * Undefined where that cannot be asked for: elsewhere than on Linux `madvise` keeps the pages, and koffi is what calls it.
 */
export const openGivePagesBack = (): Give | undefined => {
  if (platform !== "linux" || !hasKoffi()) return undefined
  const koffi = requireKoffi("native")
  const madvise = koffi.load(null).func("int madvise(void *address, size_t bytes, int advice)")
  return (memory, offset, bytes) => {
    const start = Math.ceil(offset / systemPage) * systemPage
    const end = Math.floor((offset + bytes) / systemPage) * systemPage
    if (end > start) madvise(Number(koffi.address(memory)) + start, end - start, dontNeed)
  }
}
