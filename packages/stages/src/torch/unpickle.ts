/**
 * Reads the pickle inside a PyTorch file without executing anything: a closed set of opcodes builds plain values, and the
 * only names that may be called are those that rebuild tensors and ordered dictionaries, which are done here.
 */

/** A name out of a module; it is only ever compared with the few that are known. */
interface Global {
  readonly module: string
  readonly name: string
}

/** A tensor of the file: where its numbers are, not the numbers. */
export interface PickledTensor {
  readonly _tag: "tensor"
  /** Name of the storage's type, such as `HalfStorage`. */
  readonly storage: string
  /** File of the archive below `data/`. */
  readonly key: string
  /** Elements of the storage before the first. */
  readonly offset: number
  readonly shape: readonly number[]
  readonly stride: readonly number[]
}

/** What a file may hold. */
export type Pickled =
  | null
  | boolean
  | number
  | string
  | readonly Pickled[]
  | ReadonlyMap<Pickled, Pickled>
  | PickledTensor

/** Values while they are read: markers and names exist only on the stack. */
type Value = null | boolean | number | string | Value[] | Map<Value, Value> | PickledTensor | Storage | GlobalValue
interface Storage {
  readonly _tag: "storage"
  readonly type: string
  readonly key: string
}
interface GlobalValue extends Global {
  readonly _tag: "global"
}

/** Raised for anything that is not a pickle of tensors and plain values. */
export class PickleRefused extends Error {}

const mark = Symbol("mark")
const utf8 = new TextDecoder("utf-8", { fatal: true })

const isTagged = <T extends string>(value: Value | undefined, tag: T): value is Extract<Value, { readonly _tag: T }> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && "_tag" in value && value._tag === tag

const isNumbers = (value: Value | undefined): value is number[] =>
  Array.isArray(value) && value.every((item) => typeof item === "number" && Number.isSafeInteger(item) && item >= 0)

/** What a persistent id stands for: ("storage", type, key, location, elements). */
const storageOf = (id: Value): Storage => {
  if (Array.isArray(id) && id[0] === "storage" && isTagged(id[1], "global") && typeof id[2] === "string") {
    const [, type, key] = id as [string, GlobalValue, string]
    if (type.module === "torch") return { _tag: "storage", type: type.name, key }
  }
  throw new PickleRefused("it refers to something that is not a tensor storage")
}

/** The few calls that are allowed, done without any code of the file. */
const call = (target: Value, args: Value): Value => {
  if (!isTagged(target, "global") || !Array.isArray(args))
    throw new PickleRefused("it calls something that has no name")
  const name = `${target.module}.${target.name}`
  if (name === "collections.OrderedDict" && args.length === 0) return new Map()
  if (name === "torch._utils._rebuild_parameter" && isTagged(args[0], "tensor")) return args[0]
  if (name === "torch._utils._rebuild_tensor_v2") {
    const [storage, offset, shape, stride] = args
    const fits = isNumbers(shape) && isNumbers(stride) && shape.length === stride.length
    if (
      isTagged(storage, "storage") &&
      typeof offset === "number" &&
      Number.isSafeInteger(offset) &&
      offset >= 0 &&
      fits
    ) {
      return { _tag: "tensor", storage: storage.type, key: storage.key, offset, shape, stride }
    }
    throw new PickleRefused("a tensor in it is not described as torch does")
  }
  throw new PickleRefused(
    `it wants to call ${name}; only files of tensors and plain values are read, nothing is executed`
  )
}

/** Reads a pickle of protocol 2 to 5. Throws PickleRefused. */
export const unpickle = (bytes: Uint8Array): Pickled => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const stack: (Value | typeof mark)[] = []
  const memo = new Map<number, Value>()
  let at = 0

  const take = (length: number): number => {
    const from = at
    at += length
    if (length < 0 || at > bytes.length) throw new PickleRefused(`it is cut at byte ${bytes.length}`)
    return from
  }
  const text = (length: number): string => {
    const from = take(length)
    try {
      return utf8.decode(bytes.subarray(from, at))
    } catch {
      throw new PickleRefused(`a text at byte ${from} is not UTF-8`)
    }
  }
  const line = (): string => {
    const end = bytes.indexOf(0x0a, at)
    if (end < 0) throw new PickleRefused("a name in it does not end")
    const read = text(end - at)
    at = end + 1
    return read
  }
  const u8 = () => view.getUint8(take(1))
  const u32 = () => view.getUint32(take(4), true)
  const pop = (): Value => {
    const value = stack.pop()
    if (value === undefined || value === mark) throw new PickleRefused(`nothing is there to be taken at byte ${at}`)
    return value
  }
  const popToMark = (): Value[] => {
    const start = stack.lastIndexOf(mark)
    if (start < 0) throw new PickleRefused(`a list that did not begin ends at byte ${at}`)
    const items = stack.splice(start).slice(1)
    return items as Value[]
  }
  const top = (): Value => {
    const value = pop()
    stack.push(value)
    return value
  }
  const remember = (index: number): void => {
    memo.set(index, top())
  }
  const recall = (index: number): void => {
    const value = memo.get(index)
    if (value === undefined) throw new PickleRefused(`it refers to value ${index}, which it has not had`)
    stack.push(value)
  }
  const global = (module: Value, name: Value): GlobalValue => {
    if (typeof module !== "string" || typeof name !== "string") throw new PickleRefused("a name in it is not text")
    return { _tag: "global", module, name }
  }
  const setItems = (pairs: readonly Value[]): void => {
    const target = top()
    if (!(target instanceof Map) || pairs.length % 2 !== 0)
      throw new PickleRefused("it puts entries into no dictionary")
    for (let i = 0; i < pairs.length; i += 2) target.set(pairs[i]!, pairs[i + 1]!)
  }
  const append = (items: readonly Value[]): void => {
    const target = top()
    if (!Array.isArray(target)) throw new PickleRefused("it appends to no list")
    for (const item of items) target.push(item)
  }
  /** Little-endian two's complement of `length` bytes. */
  const long = (length: number): number => {
    const from = take(length)
    let value = 0n
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[from + i]!)
    return Number(BigInt.asIntN(8 * length, value))
  }

  const step: { readonly [opcode: number]: () => void } = {
    128: () => {
      const protocol = u8()
      if (protocol < 2 || protocol > 5) throw new PickleRefused(`it is a pickle of protocol ${protocol}`)
    },
    149: () => void take(8), // FRAME
    40: () => void stack.push(mark), // MARK
    78: () => void stack.push(null),
    136: () => void stack.push(true),
    137: () => void stack.push(false),
    74: () => void stack.push(view.getInt32(take(4), true)), // BININT
    75: () => void stack.push(u8()), // BININT1
    77: () => void stack.push(view.getUint16(take(2), true)), // BININT2
    138: () => void stack.push(long(u8())), // LONG1
    71: () => void stack.push(view.getFloat64(take(8), false)), // BINFLOAT
    88: () => void stack.push(text(u32())), // BINUNICODE
    140: () => void stack.push(text(u8())), // SHORT_BINUNICODE
    125: () => void stack.push(new Map()), // EMPTY_DICT
    93: () => void stack.push([]), // EMPTY_LIST
    41: () => void stack.push([]), // EMPTY_TUPLE
    116: () => void stack.push(popToMark()), // TUPLE
    133: () => void stack.push([pop()]), // TUPLE1
    134: () => void stack.push([pop(), pop()].reverse()), // TUPLE2
    135: () => void stack.push([pop(), pop(), pop()].reverse()), // TUPLE3
    97: () => append([pop()]), // APPEND
    101: () => append(popToMark()), // APPENDS
    115: () => setItems([pop(), pop()].reverse()), // SETITEM
    117: () => setItems(popToMark()), // SETITEMS
    99: () => void stack.push(global(line(), line())), // GLOBAL
    147: () => {
      const name = pop()
      stack.push(global(pop(), name))
    }, // STACK_GLOBAL
    81: () => void stack.push(storageOf(pop())), // BINPERSID
    82: () => {
      const args = pop()
      stack.push(call(pop(), args))
    }, // REDUCE
    98: () => {
      // BUILD: a state_dict carries _metadata as an attribute, which says nothing about its tensors.
      pop()
      if (!(top() instanceof Map)) throw new PickleRefused("it sets the state of an object; nothing is executed")
    },
    113: () => remember(u8()), // BINPUT
    114: () => remember(u32()), // LONG_BINPUT
    148: () => remember(memo.size), // MEMOIZE
    104: () => recall(u8()), // BINGET
    106: () => recall(u32()) // LONG_BINGET
  }

  for (;;) {
    const opcode = u8()
    if (opcode === 46) return plain(pop(), new Set(), { left: mostValues })
    const perform = step[opcode]
    if (perform === undefined)
      throw new PickleRefused(`it holds something other than tensors and plain values (opcode ${opcode})`)
    perform()
  }
}

/** Values that a file may hold; one that refers to the same list again and again could have more than there are atoms. */
const mostValues = 1_000_000

/** The value, if it is made of nothing but what a file may hold; a list that holds itself is refused. */
const plain = (value: Value, above: Set<Value>, budget: { left: number }): Pickled => {
  if (--budget.left < 0) throw new PickleRefused(`it holds more than ${mostValues} values`)
  if (value === null || typeof value !== "object") return value
  if (isTagged(value, "tensor")) return value
  if (isTagged(value, "storage") || isTagged(value, "global") || above.has(value)) {
    throw new PickleRefused("it holds something other than tensors and plain values")
  }
  above.add(value)
  const inside = (item: Value) => plain(item, above, budget)
  const result = Array.isArray(value)
    ? value.map(inside)
    : new Map([...(value as Map<Value, Value>)].map(([key, item]) => [inside(key), inside(item)]))
  above.delete(value)
  return result
}
