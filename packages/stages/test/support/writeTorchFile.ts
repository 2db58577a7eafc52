/** Writes a state dict of f32 tensors as torch.save does: a zip archive of a pickle and of storages. */
import { writeFileSync } from "node:fs"
import { crc32 } from "node:zlib"

export interface StateEntry {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value)
  const head = Buffer.alloc(5)
  head.write("X", 0, "latin1")
  head.writeUInt32LE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

const whole = (value: number): Buffer => {
  const bytes = Buffer.alloc(5)
  bytes.write("J", 0, "latin1")
  bytes.writeInt32LE(value, 1)
  return bytes
}

const op = (code: string): Buffer => Buffer.from(code, "latin1")
const tuple = (values: readonly number[]): Buffer => Buffer.concat([op("("), ...values.map(whole), op("t")])

/** A tensor of the storage `key`, contiguous. */
const rebuilt = (key: string, { shape, values }: StateEntry): Buffer => {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1))
  return Buffer.concat([
    op("ctorch._utils\n_rebuild_tensor_v2\n(("),
    text("storage"),
    op("ctorch\nFloatStorage\n"),
    text(key),
    text("cpu"),
    whole(values.length),
    op("tQ"),
    whole(0),
    tuple(shape),
    tuple(strides),
    op("\x89ccollections\nOrderedDict\n)RtR")
  ])
}

/** A zip archive whose entries are stored. */
const zip = (entries: readonly (readonly [string, Buffer])[]): Buffer => {
  const [files, directory]: [Buffer[], Buffer[]] = [[], []]
  let offset = 0
  for (const [name, content] of entries) {
    const path = Buffer.from(name)
    const facts = Buffer.alloc(20)
    facts.writeUInt32LE(crc32(content), 8)
    facts.writeUInt32LE(content.length, 12)
    facts.writeUInt32LE(content.length, 16)
    const lengths = Buffer.alloc(4)
    lengths.writeUInt16LE(path.length, 0)
    const head = Buffer.concat([op("PK\x03\x04\x14\0"), facts, lengths, path])
    const rest = Buffer.alloc(16)
    rest.writeUInt32LE(offset, 12)
    directory.push(Buffer.concat([op("PK\x01\x02\x14\0\x14\0"), facts, lengths.subarray(0, 2), rest, path]))
    files.push(head, content)
    offset += head.length + content.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write("PK\x05\x06", 0, "latin1")
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...files, central, end])
}

export const writeTorchFile = (file: string, state: { readonly [name: string]: StateEntry }): void => {
  const entries = Object.entries(state)
  const items = entries.flatMap(([name, entry], index) => [text(name), rebuilt(String(index), entry)])
  const pickle = Buffer.concat([op("\x80\x02}("), ...items, op("u.")])
  const storages = entries.map(
    ([, { values }], index) =>
      [`archive/data/${index}`, Buffer.from(values.buffer, values.byteOffset, values.byteLength)] as const
  )
  writeFileSync(file, zip([["archive/data.pkl", pickle], ...storages]))
}
