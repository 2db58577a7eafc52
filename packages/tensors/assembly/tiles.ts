/** Matrices as tiles: some rows take turns, a few elements of each (kernels/tiles). Elements of 1, 2 or 4 bytes. */

/** Tiles `first` to `first + count`; x is whole, y at tile `first`. Beyond the ends of rows and of x there are zeros. */
export function tileRows(
  first: i32,
  count: i32,
  x: usize,
  y: usize,
  rows: i32,
  columns: i32,
  steps: i32,
  together: i32,
  width: i32,
  repeat: i32,
  size: i32
): void {
  const rowBytes = <usize>columns * <usize>size
  const lanes = width * size === 16 && repeat === 1
  for (let tile = first; tile < first + count; tile++) {
    for (let step = 0; step < steps; step++) {
      for (let r = 0; r < together; r++) {
        const row = tile * together + r
        const from = x + <usize>row * rowBytes
        const column = step * width
        if (lanes && row < rows && column + width <= columns) {
          v128.store(y, v128.load(from + <usize>column * <usize>size))
          y += 16
          continue
        }
        for (let i = 0; i < width; i++, y += <usize>size) {
          const source = (column + i) / repeat
          const there = row < rows && source < columns
          const at = from + <usize>source * <usize>size
          if (size === 1) store<u8>(y, there ? load<u8>(at) : 0)
          else if (size === 2) store<u16>(y, there ? load<u16>(at) : 0)
          else store<u32>(y, there ? load<u32>(at) : 0)
        }
      }
    }
  }
}

/** Rows `first` to `first + count` out of tiles without repeats; x is whole. */
export function untileRows(
  first: i32,
  count: i32,
  x: usize,
  y: usize,
  columns: i32,
  steps: i32,
  together: i32,
  width: i32,
  size: i32
): void {
  const bytes = <usize>width * <usize>size
  const rowBytes = <usize>columns * <usize>size
  for (let row = first; row < first + count; row++, y += rowBytes) {
    let from = x + (<usize>(row / together) * <usize>steps * <usize>together + <usize>(row % together)) * bytes
    for (let at: usize = 0; at < rowBytes; at += bytes, from += <usize>together * bytes) {
      if (bytes === 16 && at + 16 <= rowBytes) v128.store(y + at, v128.load(from))
      else memory.copy(y + at, from, min(bytes, rowBytes - at))
    }
  }
}
