/**
 * Products by matrices of f16 with f32 sums: y[m, n] = op(a) op(b) + bias, on top of y where that is asked for.
 *
 * Every row r of op(a), and every column c of op(b), is multiplied by a power of two, s_r or t_c, that brings its largest magnitude to
 * [2^14, 2^15): f16 ends at 65504, so nothing overflows. A scaled number is then
 *
 *   high              one term: 11 bits; 0 below 2^-14, which is less than the 2^-28th of the largest of the row
 *   high + low/2^11   three terms: 22 bits; `low` holds 11 bits of what `high` leaves out, and is 0 below 2^-14, too
 *
 *   y[r, c] = (sum of high high + 2^-11 sum of (high low + low high)) / (s_r t_c)
 *
 * Numbers are rounded to 11 bits by whole numbers, ties to even, and never become subnormals of f16. So conversions to f16 are exact,
 * however an adapter rounds and whether or not it keeps subnormals, and no compiler can see that `x - high` is an error of rounding
 * and take it for 0. Scaling and its inverse are exact. What an adapter rounds is its sums in f32.
 *
 * A row of op(a), or a column of op(b), that holds NaN or infinity makes its row or column of y NaN.
 */
import type { Matrices } from "./matrices.ts"
import type { Product } from "./Product.ts"
import { inRows, type WgslLaunch, type WgslProgram } from "./WebgpuBody.ts"
import { threads } from "./wgslText.ts"

/** Along k at a time. */
const depth = 16

/** Rows and columns of a tile of y. */
export type MatrixTile = 64 | 128

/** What stands between the two launches: s of all rows of op(a), then t of all columns of op(b). */
const scales = "scales"

/** Exponent, with its bias of 127, of the largest magnitude of a row after scaling. */
const largest = 127 + 14

/** Threads that share a row of a factor, which is stored as [k, rows] where `turned`: neighbours read neighbours. */
const alongOf = (turned: boolean): number => (turned ? 8 : 32)
const rowsOfGroup = (turned: boolean): number => threads / alongOf(turned)

/** scan_x(group, lane): the scales of some rows of a factor, written from `offset` on. Magnitudes are compared as whole numbers. */
const scan = (x: "a" | "b", turned: boolean, offset: string): string => {
  const along = alongOf(turned)
  const extent = x === "a" ? "p.m" : "p.n"
  const [place, own] = turned ? ["lane % 32u", "lane / 32u"] : ["lane / 32u", "lane % 32u"]
  const at = turned ? `(row / ${extent}) * ${extent} * p.k + k * ${extent} + row % ${extent}` : "row * p.k + k"
  return `
fn scan_${x}(group: u32, lane: u32) {
  let place = ${place};
  let own = ${own};
  let row = group * ${rowsOfGroup(turned)}u + place;
  var most = 0u;
  if (row < p.rows_${x}) {
    for (var k = own; k < p.k; k += ${along}u) {
      most = max(most, bitcast<u32>(${x === "a" ? `a[${at}]` : `b_at(${at})`}) & 0x7fffffffu);
    }
  }
  mosts[place * ${along}u + own] = most;
  workgroupBarrier();
  if (own > 0u || row >= p.rows_${x}) { return; }
  for (var i = 1u; i < ${along}u; i++) { most = max(most, mosts[place * ${along}u + i]); }
  ${scales}[${offset}row] = scale_of(most);
}`
}

/** The scales of all rows of a, then of b: powers of two; 0 for a row that holds NaN or infinity. */
const scalesText = (turnsA: boolean, turnsB: boolean): string => `
var<workgroup> mosts: array<u32, ${threads}>;
fn scale_of(most: u32) -> f32 {
  let exponent = most >> 23u;
  if (exponent == 255u) { return 0.0; }
  // Below 2^-112 a scale and its inverse would not both be normal numbers.
  return bitcast<f32>((${127 + largest}u - max(exponent, 15u)) << 23u);
}${scan("a", turnsA, "")}${scan("b", !turnsB, "p.rows_a + ")}
@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32
) {
  let index = group.y * groups.x + group.x;
  if (index < p.groups_a) { scan_a(index, lane); } else { scan_b(index - p.groups_a, lane); }
}`

/** Copies a part of a factor into memory of the workgroup, as [row of the tile][k], in f16. */
const load = (x: "a" | "b", extent: number, turned: boolean, terms: 1 | 3): string => {
  const rows = x === "a" ? "p.m" : "p.n"
  const [place, k] = turned ? [`e % ${extent}u`, `e / ${extent}u`] : [`e / ${depth}u`, `e % ${depth}u`]
  const at = turned ? `(first + k) * ${rows} + row` : `row * p.k + first + k`
  return `
    for (var e = lane; e < ${depth * extent}u; e += ${threads}u) {
      let place = ${place};
      let row = ${x}_first + place;
      let k = ${k};
      var value = 0.0;
      if (row < ${rows} && first + k < p.k) {
        value = ${x === "a" ? `a[a_batch + ${at}]` : `b_at(b_batch + ${at})`} * ${scales}[${x}_scales + row];
      }
      let high = in_11_bits(value);
      ${x}_high[place * ${depth}u + k] = f16(high);
      ${terms === 3 ? `${x}_low[place * ${depth}u + k] = f16(in_11_bits((value - high) * 2048.0));` : ""}
    }`
}

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)

/** How the subgroups of a workgroup share a tile: rows and columns of them. */
const gridOf = ({ subgroup }: Pick<Matrices, "subgroup">) => ({ rows: 2, columns: threads / subgroup / 2 })

const productText = (extent: MatrixTile, matrices: Matrices, turnsA: boolean, turnsB: boolean): string => {
  const { terms, m, n, k, subgroup } = matrices
  const grid = gridOf(matrices)
  const size = m * n
  const each = size / subgroup
  const [rows, columns] = [extent / grid.rows, extent / grid.columns]
  const [down, right] = [upTo(rows / m), upTo(columns / n)]
  const blocks = down.flatMap((i) => right.map((j) => [i, j] as const))
  const parts = terms === 3 ? (["high", "low"] as const) : (["high"] as const)
  /** The sums of every subgroup's block i, j into memory of the workgroup. */
  const share = (sum: string, i: number, j: number) =>
    `subgroupMatrixStore<row_major>(&sums, part * ${size}u, ${sum}${i}_${j}, ${n}u);
  workgroupBarrier();`
  return `
alias Left = subgroup_matrix_left<f16, ${k}, ${m}>;
alias Right = subgroup_matrix_right<f16, ${n}, ${k}>;
alias Sum = subgroup_matrix_result<f32, ${n}, ${m}>;
${parts.map((part) => `var<workgroup> a_${part}: array<f16, ${extent * depth}>;\nvar<workgroup> b_${part}: array<f16, ${extent * depth}>;`).join("\n")}
var<workgroup> sums: array<f32, ${(threads / subgroup) * size}>;
fn in_11_bits(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let rounded = (bits + 0xfffu + ((bits >> 13u) & 1u)) & 0xffffe000u;
  return select(bitcast<f32>(rounded), 0.0, (rounded & 0x7fffffffu) < 0x38800000u); // 2^-14
}
/** sum / (s t), in two steps, so that nothing between sum and result is out of range. */
fn unscaled(sum: f32, s: f32, t: f32) -> f32 {
  let power = 254 - i32(bitcast<u32>(s) >> 23u) - i32(bitcast<u32>(t) >> 23u);
  let half = power / 2;
  return sum * bitcast<f32>(u32(127 + half) << 23u) * bitcast<f32>(u32(127 + power - half) << 23u);
}
fn put(batch: u32, row: u32, column: u32, sum: f32) {
  if (row >= p.m || column >= p.n) { return; }
  let s = ${scales}[batch * p.m + row];
  let t = ${scales}[p.rows_a + select(batch * p.n, 0u, p.batch_b == 0u) + column];
  let at = (batch * p.m + row) * p.n + column;
  var value = unscaled(sum, s, t);
  if (p.biased == 1u) { value += bias[column]; }
  if (p.added == 1u) { value += y[at]; }
  var bits = bitcast<u32>(value);
  if (s == 0.0 || t == 0.0) { bits = 0x7fc00000u; } // NaN
  y[at] = bitcast<f32>(bits);
}
@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) part: u32
) {
  let a_first = group.y * ${extent}u;
  let b_first = group.x * ${extent}u;
  let a_batch = group.z * p.m * p.k;
  let b_batch = group.z * p.batch_b;
  let a_scales = group.z * p.m;
  let b_scales = p.rows_a + select(group.z * p.n, 0u, p.batch_b == 0u);
  let a_block = (part / ${grid.columns}u) * ${rows * depth}u;
  let b_block = (part % ${grid.columns}u) * ${columns * depth}u;
  ${blocks.map(([i, j]) => (terms === 3 ? `var s${i}_${j}: Sum; var t${i}_${j}: Sum;` : `var s${i}_${j}: Sum;`)).join(" ")}
  for (var first = 0u; first < p.k; first += ${depth}u) {${load("a", extent, turnsA, terms)}${load("b", extent, !turnsB, terms)}
    workgroupBarrier();
    for (var k = 0u; k < ${depth}u; k += ${k}u) {
      ${parts.flatMap((part) => down.map((i) => `let a_${part}${i} = subgroupMatrixLoad<Left, row_major>(&a_${part}, a_block + ${i * m * depth}u + k, ${depth}u);`)).join("\n      ")}
      ${parts.flatMap((part) => right.map((j) => `let b_${part}${j} = subgroupMatrixLoad<Right, col_major>(&b_${part}, b_block + ${j * n * depth}u + k, ${depth}u);`)).join("\n      ")}
      ${blocks
        .flatMap(([i, j]) => [
          `s${i}_${j} = subgroupMatrixMultiplyAccumulate(a_high${i}, b_high${j}, s${i}_${j});`,
          ...(terms === 3
            ? [
                `t${i}_${j} = subgroupMatrixMultiplyAccumulate(a_high${i}, b_low${j}, t${i}_${j});`,
                `t${i}_${j} = subgroupMatrixMultiplyAccumulate(a_low${i}, b_high${j}, t${i}_${j});`
              ]
            : [])
        ])
        .join("\n      ")}
    }
    workgroupBarrier();
  }
  // From here a thread writes elements of the subgroup's block whose sums it finds in its share of the memory.
  let writes = lane / ${subgroup}u;
  let own = lane % ${subgroup}u;
  let row = a_first + (writes / ${grid.columns}u) * ${rows}u;
  let column = b_first + (writes % ${grid.columns}u) * ${columns}u;
  var low: array<f32, ${each}>;
  ${blocks
    .map(
      ([i, j]) => `${
        terms === 3
          ? `${share("t", i, j)}
  for (var e = 0u; e < ${each}u; e++) { low[e] = sums[writes * ${size}u + e * ${subgroup}u + own]; }
  workgroupBarrier();
  `
          : ""
      }${share("s", i, j)}
  for (var e = 0u; e < ${each}u; e++) {
    let place = e * ${subgroup}u + own;
    let sum = sums[writes * ${size}u + place]${terms === 3 ? " + low[e] * 4.8828125e-4" : ""};
    put(group.z, row + ${i * m}u + place / ${n}u, column + ${j * n}u + place % ${n}u, sum);
  }
  workgroupBarrier();`
    )
    .join("\n  ")}
}`
}

const directives = `enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
requires subgroup_id;
// Subgroups take blocks by their number: control flow is the same for all threads of one.
diagnostic(off, chromium.subgroup_matrix_uniformity);`

const numbers = ["m", "n", "k", "rows_a", "rows_b", "batch_b"] as const

const programs = new Map<string, WgslProgram>()

/** What `make` made for the key, the same every time. */
const kept = (key: string, make: () => WgslProgram): WgslProgram => {
  const program = programs.get(key) ?? make()
  programs.set(key, program)
  return program
}

const scalesProgram = (turnsA: boolean, turnsB: boolean): WgslProgram =>
  kept(`scales ${turnsA} ${turnsB}`, () => ({
    reads: ["a", "b"],
    writes: [scales],
    whole: [...numbers, "groups_a"],
    widened: ["b"],
    text: scalesText(turnsA, turnsB)
  }))

const productProgram = (extent: MatrixTile, matrices: Matrices, turnsA: boolean, turnsB: boolean): WgslProgram =>
  kept(`${extent} ${Object.values(matrices).join()} ${turnsA} ${turnsB}`, () => ({
    reads: ["a", "b", "bias", scales],
    writes: ["y"],
    whole: [...numbers, "biased", "added"],
    widened: ["b"],
    directives,
    text: productText(extent, matrices, turnsA, turnsB)
  }))

/** y = op(a) op(b) + bias as two launches: scales of rows and columns, then the product. */
export const matrixLaunches = (product: Product, matrices: Matrices, extent: MatrixTile): readonly WgslLaunch[] => {
  const { batch, m, n, k, turnsA, turnsB, sharedB, a, b, bias, y, added = false } = product
  const [rowsA, rowsB] = [batch * m, sharedB ? n : batch * n]
  const sizes = [m, n, k, rowsA, rowsB, sharedB ? 0 : k * n]
  const groupsA = Math.ceil(rowsA / rowsOfGroup(turnsA))
  const groupsB = Math.ceil(rowsB / rowsOfGroup(!turnsB))
  return [
    {
      program: scalesProgram(turnsA, turnsB),
      reads: [a, b],
      writes: [{ name: scales, size: rowsA + rowsB }],
      whole: [...sizes, groupsA],
      workgroups: inRows(groupsA + groupsB)
    },
    {
      program: productProgram(extent, matrices, turnsA, turnsB),
      // Without a bias its place is taken by a, of which nothing is used there.
      reads: [a, b, bias ?? a, scales],
      writes: [y],
      whole: [...sizes, Number(bias !== undefined), Number(added)],
      workgroups: [Math.ceil(n / extent), Math.ceil(m / extent), batch]
    }
  ]
}
