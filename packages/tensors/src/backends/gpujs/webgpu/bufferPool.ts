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
  /** Unused buffers beyond it are destroyed, the longest unused first. */
  readonly idleBytes: number
  /** The size of the largest buffer. */
  readonly most: number
}

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

export const makeBufferPool = <B extends DeviceBuffer>({ create, destroy, idleBytes, most }: PoolOptions<B>) => {
  const bySize = new Map<number, B[]>()
  /** In the order of their release. */
  const idle = new Set<B>()
  let idleTotal = 0
  const forget = (buffer: B) => {
    idle.delete(buffer)
    idleTotal -= buffer.size
  }
  const destroyOldest = () => {
    for (const oldest of idle) {
      if (idleTotal <= idleBytes) break
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
  return {
    take: (bytes: number): B => {
      const size = pooledSize(bytes, most)
      const buffer = bySize.get(size)?.pop() ?? larger(size)
      if (buffer === undefined) return create(size)
      forget(buffer)
      return buffer
    },
    give: (buffer: B): void => {
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
    }
  }
}
