/**
 * Products in WGSL: y[m, n] = op(a) op(b) + bias, on top of y where that is asked for. A workgroup computes a square tile of y, each
 * of its threads several elements of it in registers; factors pass through shared memory, 8 along k at a time. Where tiles are few,
 * the threads of a tile are four slices, which share k, and whose sums are added in order: no second launch, and the same bits.
 */
import type { Matrices } from "./matrices.ts"
import { type MatrixTile, matrixLaunches } from "./matrixProducts.ts"
import type { Product } from "./Product.ts"
import type { WgslLaunch, WgslProgram } from "./WebgpuBody.ts"
import { threads } from "./wgslText.ts"

interface Tile {
  /** Rows and columns of y. */
  readonly extent: 32 | 64 | 128
  /** Threads along either of them. */
  readonly side: 8 | 16
}

/** Along k at a time. */
const depth = 8

const small: Tile = { extent: 32, side: 8 }
const middle: Tile = { extent: 64, side: 8 }
const large: Tile = { extent: 128, side: 16 }
export const tiles: readonly Tile[] = [small, middle, large]

const slicesOf = ({ side }: Tile): number => threads / side ** 2

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)

/** Copies a slice's part of a factor into `tiles`, as [k][row of the tile]; `turned`: it is stored as [k, rows], not [rows, k]. */
const load = ({ extent, side }: Tile, x: "a" | "b", turned: boolean): string => {
  const rows = x === "a" ? "p.m" : "p.n"
  const [row, k] = turned ? [`e % ${extent}u`, `e / ${extent}u`] : [`e / ${depth}u`, `e % ${depth}u`]
  const at = turned ? `(first + k) * ${rows} + row` : `row * p.k + first + k`
  return `
    for (var e = own; e < ${depth * extent}u; e += ${side * side}u) {
      let place = ${row};
      let row = ${x}_first + place;
      let k = ${k};
      var value = 0.0;
      if (row < ${rows} && first + k < end) { value = ${x === "a" ? `a[a_batch + ${at}]` : `b_at(b_batch + ${at})`}; }
      tiles[${x}_tile + k * ${extent / 4}u + place / 4u][place % 4u] = value;
    }`
}

const textOf = (tile: Tile, turnsA: boolean, turnsB: boolean): string => {
  const { extent, side } = tile
  const slices = slicesOf(tile)
  const each = extent / side
  const [rows, pieces] = [upTo(each), upTo(each / 4)]
  const sums = rows.flatMap((i) => pieces.map((j) => [i, j] as const))
  const quarter = (depth * extent) / 4
  const shared = Math.max(2 * quarter * slices, slices > 1 ? extent ** 2 / 4 : 0)
  return `
var<workgroup> tiles: array<vec4f, ${shared}>;
fn put(batch: u32, row: u32, column: u32, values: vec4f) {
  if (row >= p.m) { return; }
  for (var c = 0u; c < 4u && column + c < p.n; c++) {
    let at = (batch * p.m + row) * p.n + column + c;
    var value = values[c];
    if (p.biased == 1u) { value += bias[column + c]; }
    if (p.added == 1u) { value += y[at]; }
    y[at] = value;
  }
}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slice = lane / ${side * side}u;
  let own = lane % ${side * side}u;
  let along = own % ${side}u;
  let down = own / ${side}u;
  let a_first = group.y * ${extent}u;
  let b_first = group.x * ${extent}u;
  let a_batch = group.z * p.batchA;
  let b_batch = group.z * p.batchB;
  let a_tile = slice * ${2 * quarter}u;
  let b_tile = a_tile + ${quarter}u;
  let end = min(p.k, (slice + 1u) * p.span);
  ${sums.map(([i, j]) => `var s${i}_${j} = vec4f(0.0);`).join(" ")}
  for (var covered = 0u; covered < p.span; covered += ${depth}u) {
    let first = slice * p.span + covered;${load(tile, "a", turnsA)}${load(tile, "b", !turnsB)}
    workgroupBarrier();
    for (var k = 0u; k < ${depth}u; k++) {
      ${pieces.map((j) => `let x${j} = tiles[a_tile + k * ${extent / 4}u + ${j * side}u + down];`).join(" ")}
      ${pieces.map((j) => `let z${j} = tiles[b_tile + k * ${extent / 4}u + ${j * side}u + along];`).join(" ")}
      ${sums.map(([i, j]) => `s${i}_${j} = fma(vec4f(x${i >> 2}[${i % 4}]), z${j}, s${i}_${j});`).join("\n      ")}
    }
    workgroupBarrier();
  }
  ${
    slices > 1
      ? `for (var other = 1u; other < ${slices}u; other++) {
    if (slice == other) {
      ${sums.map(([i, j], at) => `tiles[${at * side * side}u + own] = s${i}_${j};`).join("\n      ")}
    }
    workgroupBarrier();
    if (slice == 0u) {
      ${sums.map(([i, j], at) => `s${i}_${j} += tiles[${at * side * side}u + own];`).join("\n      ")}
    }
    workgroupBarrier();
  }
  if (slice > 0u) { return; }`
      : ""
  }
  ${sums
    .map(([i, j]) => {
      const row = `a_first + ${(i >> 2) * 4 * side + (i % 4)}u + down * 4u`
      return `put(group.z, ${row}, b_first + ${j * 4 * side}u + along * 4u, s${i}_${j});`
    })
    .join("\n  ")}
}`
}

const programs = new Map<string, WgslProgram>()

/** The program of a tile for factors that are stored turned, or not; the same one every time. */
const programOf = (tile: Tile, turnsA: boolean, turnsB: boolean): WgslProgram => {
  const key = `${tile.extent} ${turnsA} ${turnsB}`
  const known = programs.get(key)
  if (known !== undefined) return known
  const program: WgslProgram = {
    reads: ["a", "b", "bias"],
    writes: ["y"],
    whole: ["m", "n", "k", "span", "batchA", "batchB", "biased", "added"],
    widened: ["b"],
    text: textOf(tile, turnsA, turnsB)
  }
  programs.set(key, program)
  return program
}

/** A GPU computes about as many tiles at a time as this: 132 multiprocessors of an H200, 128 of an RTX 4090. */
const tilesAtATime = 128

const tilesOf = ({ batch, m, rowsAlike = m, n }: Product, extent: number): number =>
  Math.ceil(rowsAlike / extent) * Math.ceil(n / extent) * batch

/** The largest tile of which there are enough to fill a GPU. It decides the order of sums: by shape alone, on every adapter. */
const tileOf = (product: Product): Tile => {
  if (tilesOf(product, large.extent) >= tilesAtATime) return large
  return tilesOf(product, middle.extent) >= tilesAtATime / 2 ? middle : small
}

/** Rows, columns and depth of a product below which half of a tile of matrices is empty. */
export const leastOfMatrices = 32

/** The tile by matrices of f16, likewise by shape alone; undefined for a product that is too small, which is computed in f32. */
const matrixTileOf = (product: Product, { terms }: Matrices): MatrixTile | undefined => {
  const { m, rowsAlike = m, n, k } = product
  if (Math.min(rowsAlike, n, k) < leastOfMatrices) return undefined
  // Three terms of 128 x 128 do not fit into the memory of a workgroup.
  return terms === 1 && tilesOf(product, 128) >= tilesAtATime ? 128 : 64
}

/** Rows of y below which a tile is mostly empty: a GPU.js program reads as much and waits for less. */
export const fewestRows = 8

/** y = op(a) op(b) + bias as one launch; `tile` for tests. */
export const productLaunch = (product: Product, tile: Tile = tileOf(product)): WgslLaunch => {
  const { batch, m, n, k, turnsA, turnsB, sharedB, a, b, bias, y, added = false } = product
  const span = depth * Math.ceil(k / (slicesOf(tile) * depth))
  return {
    program: programOf(tile, turnsA, turnsB),
    // Without a bias its place is taken by a, of which nothing is used there.
    reads: [a, b, bias ?? a],
    writes: [y],
    whole: [m, n, k, span, m * k, sharedB ? 0 : k * n, Number(bias !== undefined), Number(added)],
    workgroups: [Math.ceil(n / tile.extent), Math.ceil(m / tile.extent), batch]
  }
}

/** The same by matrices of f16 where the device has `matrices` and the shape suits them. */
export const productLaunches = (product: Product, matrices: Matrices | undefined): readonly WgslLaunch[] => {
  const tile = matrices && matrixTileOf(product, matrices)
  return tile === undefined ? [productLaunch(product)] : matrixLaunches(product, matrices!, tile)
}
