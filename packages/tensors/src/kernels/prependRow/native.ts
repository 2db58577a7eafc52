import { type NativeBody, reading, shared, writing } from "../../backends/native/NativeBody.ts"

export const nativePrepend: NativeBody = (engine, { inputs: { x, row }, outputs: { y } }) => {
  const [tiles, count, columns] = x!.shape as readonly [number, number, number]
  const [bytes, rowBytes] = [4 * count * columns, 4 * columns]
  const operands = [reading(x, bytes), shared(row), writing(y, bytes + rowBytes)]
  engine.rows({ entry: "prependRow", rows: tiles, operands, scalars: [bytes, rowBytes] })
}

export const nativeDropFirst: NativeBody = (engine, { inputs: { x }, outputs: { y } }) => {
  const [tiles, count, columns] = x!.shape as readonly [number, number, number]
  const [all, kept] = [4 * count * columns, 4 * (count - 1) * columns]
  const operands = [reading(x, all), writing(y, kept)]
  engine.rows({ entry: "copyColumns", rows: tiles, operands, scalars: [all, kept, 4 * columns, 0, kept] })
}
