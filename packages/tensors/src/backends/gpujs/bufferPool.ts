/** GPU buffers by size: a released one serves the next tensor of that size, so that a step allocates nothing anew. */

/** What is used of a WebGPU buffer. */
interface DeviceBuffer {
  readonly size: number
  destroy(): void
}

/** Sizes are rounded up to an eighth of a power of two, so that lengths that vary a little share buffers. */
export const pooledSize = (bytes: number, most: number): number => {
  const grain = 2 ** Math.max(8, Math.floor(Math.log2(Math.max(1, bytes))) - 3)
  return Math.min(most, Math.ceil(bytes / grain) * grain)
}

/** Buffers beyond `idleBytes` of unused ones are destroyed, the longest unused first. No buffer is larger than `most`. */
export const makeBufferPool = <B extends DeviceBuffer>(
  create: (bytes: number) => B,
  { idleBytes, most }: { readonly idleBytes: number; readonly most: number }
) => {
  const idle = new Set<B>()
  let idleTotal = 0
  const drop = (buffer: B) => {
    idle.delete(buffer)
    idleTotal -= buffer.size
  }
  return {
    take: (bytes: number): B => {
      const size = pooledSize(bytes, most)
      for (const buffer of idle) {
        if (buffer.size !== size) continue
        drop(buffer)
        return buffer
      }
      return create(size)
    },
    give: (buffer: B): void => {
      idle.add(buffer)
      idleTotal += buffer.size
      for (const oldest of idle) {
        if (idleTotal <= idleBytes) break
        drop(oldest)
        oldest.destroy()
      }
    },
    idleBytes: (): number => idleTotal,
    clear: (): void => {
      for (const buffer of idle) buffer.destroy()
      idle.clear()
      idleTotal = 0
    }
  }
}
