/**
 * GPU buffers by size: a released one serves the next tensor of that size, so that a step allocates nothing anew. Of several the
 * one made first is taken: a step that begins with the same buffers unused as the one before takes the same ones, and the bind
 * groups made for them serve again.
 */

/** What is used of a buffer. */
export interface DeviceBuffer {
  readonly size: number
  /** Counts up with every buffer made. */
  readonly id: number
}

interface PoolOptions<B> {
  readonly create: (bytes: number) => B
  readonly destroy: (buffer: B) => void
  /**
   * Unused buffers may take this, or an eighth of what was used at the most, beyond what that leaves: a step that takes the same
   * sizes as the one before destroys none, and the device never holds much more than it needs at once.
   */
  readonly spareBytes: number
  /** The size of the largest buffer. */
  readonly most: number
  /** Bytes of all buffers together: unused ones do not stay beyond that. Undefined while it is unknown. */
  readonly limit?: () => number | undefined
}

/** What sizes are rounded up by, at most. */
export const pooledOverhead = 1 / 32

/** Sizes are rounded up to a 32nd of a power of two: of what a model keeps, at most 3 % is lost. */
export const pooledSize = (bytes: number, most: number): number => {
  const grain = 2 ** Math.max(8, Math.floor(Math.log2(Math.max(1, bytes))) - 5)
  return Math.min(most, Math.ceil(bytes / grain) * grain)
}

/** Where `buffer` belongs, or is, among others in the order of their making, the last first. */
const placeOf = (buffers: readonly DeviceBuffer[], { id }: DeviceBuffer): number => {
  let [low, high] = [0, buffers.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (buffers[middle]!.id > id) low = middle + 1
    else high = middle
  }
  return low
}

export const makeBufferPool = <B extends DeviceBuffer>({
  create,
  destroy,
  spareBytes,
  most,
  limit = () => undefined
}: PoolOptions<B>) => {
  const bySize = new Map<number, B[]>()
  /** In the order of their release. */
  const idle = new Set<B>()
  let idleTotal = 0
  let used = 0
  let mostUsed = 0
  const forget = (buffer: B) => {
    idle.delete(buffer)
    idleTotal -= buffer.size
  }
  /** Destroys the longest unused beyond what may be kept. */
  const destroyOldest = () => {
    const kept = Math.min(mostUsed + Math.max(spareBytes, mostUsed / 8), limit() ?? Number.POSITIVE_INFINITY) - used
    for (const oldest of idle) {
      if (idleTotal <= kept) break
      const others = bySize.get(oldest.size)!
      others.splice(placeOf(others, oldest), 1)
      forget(oldest)
      destroy(oldest)
    }
  }
  /** One that is larger by an eighth at most: lengths that vary a little share buffers. */
  const larger = (size: number): B | undefined => {
    for (
      let near = pooledSize(size + 1, most);
      near > size && near <= size + size / 8;
      near = pooledSize(near + 1, most)
    ) {
      const buffer = bySize.get(near)?.pop()
      if (buffer !== undefined || near === most) return buffer
    }
    return undefined
  }
  const use = (size: number) => {
    used += size
    mostUsed = Math.max(mostUsed, used)
  }
  return {
    take: (bytes: number): B => {
      const size = pooledSize(bytes, most)
      const buffer = bySize.get(size)?.pop() ?? larger(size)
      if (buffer === undefined) {
        use(size)
        destroyOldest()
        return create(size)
      }
      forget(buffer)
      use(buffer.size)
      return buffer
    },
    give: (buffer: B): void => {
      used -= buffer.size
      const others = bySize.get(buffer.size)
      if (others === undefined) bySize.set(buffer.size, [buffer])
      else others.splice(placeOf(others, buffer), 0, buffer)
      idle.add(buffer)
      idleTotal += buffer.size
      destroyOldest()
    },
    idleBytes: (): number => idleTotal,
    clear: (): void => {
      for (const buffer of idle) destroy(buffer)
      bySize.clear()
      idle.clear()
      idleTotal = 0
      mostUsed = used
    }
  }
}
