/**
 * Attention without a matrix of T x S: blocks of 32 queries, or keys, pass over tiles of 32 of the others (arXiv 2205.14135).
 * A workgroup is 16 x 16 threads, each of which has 2 x 2 elements of a tile: rows `down` and `down + 16`, columns `along` and
 * `along + 16`. Widths go in pieces of 32.
 */
import type { WebgpuBody, WgslLaunch, WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { exponentials } from "../../backends/gpujs/webgpu/wgslNumbers.ts"
import { elementwise, threads, workgroupsOfElements } from "../../backends/gpujs/webgpu/wgslText.ts"
import type { Shape } from "../../core/Shape.ts"
import { type AttentionAttributes, type AttentionSize, attentionSize } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"

/** Queries and keys of a tile, and columns of a piece of the width. */
const block = 32
/** Elements of a row of a tile in shared memory, one more than are used: columns lie in different banks. */
const stride = block + 1

const lowest = "-3.4028234663852886e38"

/** Fills a tile in shared memory with rows of a tensor [item, rows, heads, width] from `first` on, and zeros beyond its ends. */
const load = (
  tile: string,
  x: string,
  from: { first: string; rows: string; heads: string; head: string; piece: number }
) => `
    for (var e = lane; e < ${block * block}u; e += ${threads}u) {
      let r = ${from.first} + e / ${block}u;
      let c = ${from.piece * block}u + e % ${block}u;
      var value = 0.0;
      if (r < ${from.rows} && c < p.width) { value = ${x}[((item * ${from.rows} + r) * ${from.heads} + ${from.head}) * p.width + c]; }
      ${tile}[e / ${block}u * ${stride}u + e % ${block}u] = value;
    }`

const ofQueries = (piece: number) => ({ first: "query", rows: "p.queries", heads: "p.heads", head: "head", piece })
const ofKeys = (piece: number) => ({ first: "key", rows: "p.keys", heads: "p.groups", head: "group_head", piece })

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)

/** result (row, column) = inner products of rows of a query-like and a key-like tensor, over the whole width. */
const products = (result: string, x: string, z: string, pieces: number): string =>
  `var ${result} = vec4f(0.0);${upTo(pieces)
    .map(
      (piece) => `
    workgroupBarrier();${load("left", x, ofQueries(piece))}${load("right", z, ofKeys(piece))}
    workgroupBarrier();
    for (var c = 0u; c < ${block}u; c++) {
      let x = vec2f(left[down * ${stride}u + c], left[(down + 16u) * ${stride}u + c]);
      let z = vec2f(right[along * ${stride}u + c], right[(along + 16u) * ${stride}u + c]);
      ${result} = fma(x.xxyy, z.xyxy, ${result});
    }`
    )
    .join("")}`

/** sums += inner products of the tile in `mixed`, turned or not, with the columns of a tensor, piece by piece. */
const mix = (
  sums: string,
  x: string,
  from: (piece: number) => Parameters<typeof load>[2],
  turned: boolean,
  pieces: number
) => {
  const element = (row: string) => (turned ? `mixed[i * ${stride}u + ${row}]` : `mixed[(${row}) * ${stride}u + i]`)
  return upTo(pieces)
    .map(
      (piece) => `
    workgroupBarrier();${load("right", x, from(piece))}
    workgroupBarrier();
    for (var i = 0u; i < ${block}u; i++) {
      let x = vec2f(${element("down")}, ${element("down + 16u")});
      let z = vec2f(right[i * ${stride}u + along], right[i * ${stride}u + along + 16u]);
      ${sums}${piece} = fma(x.xxyy, z.xyxy, ${sums}${piece});
    }`
    )
    .join("")
}

/** Declares sums of a block, (row, column) as above for every piece. */
const declare = (sums: string, pieces: number) =>
  upTo(pieces)
    .map((piece) => `var ${sums}${piece} = vec4f(0.0);`)
    .join(" ")

/** Writes the sums of a block as rows of a tensor. */
const write = (y: string, sums: string, from: (piece: number) => Parameters<typeof load>[2], pieces: number) =>
  upTo(pieces)
    .map((piece) => {
      const { first, rows, heads, head } = from(piece)
      return upTo(4)
        .map((i) => {
          const [row, column] = [`${first} + down + ${16 * (i >> 1)}u`, `${piece * block + 16 * (i & 1)}u + along`]
          const at = `((item * ${rows} + ${row}) * ${heads} + ${head}) * p.width + ${column}`
          return `if (${row} < ${rows} && ${column} < p.width) { ${y}[${at}] = ${sums}${piece}[${i}]; }`
        })
        .join("\n  ")
    })
    .join("\n  ")

/** Whether a query sees a key, for each of a thread's elements; and the tile's elements are written as a whole. */
const helpers = `
var<workgroup> left: array<f32, ${block * stride}>;
var<workgroup> right: array<f32, ${block * stride}>;
var<workgroup> mixed: array<f32, ${block * stride}>;
fn sees(item: u32, query: u32, key: u32) -> bool {
  if (query >= p.queries || key >= p.keys) { return false; }
  if (p.causal == 1u && key + p.queries > query + p.keys) { return false; }
  return p.masked == 0u || keyMask[item * p.keys + key] != 0.0;
}
fn seen(item: u32, query: u32, key: u32, along: u32, down: u32) -> vec4<bool> {
  return vec4<bool>(
    sees(item, query + down, key + along),
    sees(item, query + down, key + along + 16u),
    sees(item, query + down + 16u, key + along),
    sees(item, query + down + 16u, key + along + 16u)
  );
}
fn place(values: vec4f, along: u32, down: u32) {
  mixed[down * ${stride}u + along] = values.x;
  mixed[down * ${stride}u + along + 16u] = values.y;
  mixed[(down + 16u) * ${stride}u + along] = values.z;
  mixed[(down + 16u) * ${stride}u + along + 16u] = values.w;
}
fn powers(x: vec4f, shown: vec4<bool>) -> vec4f {
  return select(vec4f(0.0), vec4f(power(x.x), power(x.y), power(x.z), power(x.w)), shown);
}`

const main = (body: string): string => `
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let along = lane % 16u;
  let down = lane / 16u;
  let item = group.z;
${body}
}`

const whole = ["queries", "keys", "heads", "groups", "width", "causal", "masked"]

/** Keys that the last query of a block may see. */
const keysOfBlock = `
  var end = p.keys;
  if (p.causal == 1u) { end = min(p.keys, max(query + ${block}u + p.keys, p.queries) - p.queries); }`

/**
 * Of each query the largest score so far, the sum of exponentials below it, and what the sums are multiplied by when it grows. A
 * query that sees a key and has no sum has seen scores of -infinity alone: 0 / 0.
 */
const forwardText = (pieces: number): string => `${exponentials}${helpers}
var<workgroup> most: array<f32, ${block}>;
var<workgroup> total: array<f32, ${block}>;
var<workgroup> change: array<f32, ${block}>;
var<workgroup> count: array<u32, ${block}>;
${main(`
  let query = group.x * ${block}u;
  let head = group.y;
  let group_head = head * p.groups / p.heads;
  if (lane < ${block}u) {
    most[lane] = ${lowest};
    total[lane] = 0.0;
    count[lane] = 0u;
  }${keysOfBlock}
  ${declare("sum", pieces)}
  for (var key = 0u; key < end; key += ${block}u) {
    ${products("score", "q", "k", pieces)}
    score *= p.scale;
    let shown = seen(item, query, key, along, down);
    place(select(vec4f(${lowest}), score, shown), along, down);
    workgroupBarrier();
    if (lane < ${block}u) {
      var largest = most[lane];
      for (var i = 0u; i < ${block}u; i++) {
        let value = mixed[lane * ${stride}u + i];
        if (value > largest) { largest = value; }
        if (sees(item, query + lane, key + i)) { count[lane]++; }
      }
      change[lane] = power(most[lane] - largest);
      most[lane] = largest;
    }
    workgroupBarrier();
    let first = most[down];
    let second = most[down + 16u];
    place(powers(score - vec4f(first, first, second, second), shown), along, down);
    let scales = vec2f(change[down], change[down + 16u]).xxyy;
    ${upTo(pieces)
      .map((piece) => `sum${piece} *= scales;`)
      .join(" ")}
    workgroupBarrier();
    if (lane < ${block}u) {
      var all = total[lane] * change[lane];
      for (var i = 0u; i < ${block}u; i++) { all += mixed[lane * ${stride}u + i]; }
      total[lane] = all;
    }${mix("sum", "v", ofKeys, false, pieces)}
  }
  workgroupBarrier();
  if (lane < ${block}u && query + lane < p.queries) {
    logSumExp[(item * p.heads + head) * p.queries + query + lane] = most[lane] + logarithm(total[lane]);
  }
  let wholes = vec2f(total[down], total[down + 16u]).xxyy;
  let some = vec2<bool>(count[down] > 0u, count[down + 16u] > 0u).xxyy;
  ${upTo(pieces)
    .map((piece) => `sum${piece} = select(vec4f(0.0), sum${piece} / wholes, some);`)
    .join(" ")}
  ${write("y", "sum", ofQueries, pieces)}`)}`

/** logSumExp of every query of every head, and the inner product of its dy and y. */
const statistics: WgslProgram = {
  reads: ["y", "dy", "logSumExp"],
  writes: ["statistics"],
  whole: ["size", "queries", "heads", "width"],
  text: elementwise(`
  let query = i % p.queries;
  let head = i / p.queries % p.heads;
  let start = ((i / (p.queries * p.heads) * p.queries + query) * p.heads + head) * p.width;
  var sum = 0.0;
  for (var c = start; c < start + p.width; c++) { sum += dy[c] * y[c]; }
  statistics[2u * i] = logSumExp[i];
  statistics[2u * i + 1u] = sum;`)
}

/** Probabilities of a tile, and the slopes of its scores: p = exp(score - logSumExp), dscore = scale p (dy v - dy y). */
const slopes = (pieces: number): string => `
    ${products("score", "q", "k", pieces)}
    ${products("slope", "dy", "v", pieces)}
    let upper = 2u * ((item * p.heads + head) * p.queries + min(query + down, p.queries - 1u));
    let lower = 2u * ((item * p.heads + head) * p.queries + min(query + down + 16u, p.queries - 1u));
    let logs = vec2f(statistics[upper], statistics[lower]).xxyy;
    let across = vec2f(statistics[upper + 1u], statistics[lower + 1u]).xxyy;
    let chance = powers(score * p.scale - logs, seen(item, query, key, along, down));
    slope = p.scale * chance * (slope - across);`

const queryText = (pieces: number): string => `${exponentials}${helpers}
${main(`
  let query = group.x * ${block}u;
  let head = group.y;
  let group_head = head * p.groups / p.heads;${keysOfBlock}
  ${declare("sum", pieces)}
  for (var key = 0u; key < end; key += ${block}u) {${slopes(pieces)}
    place(slope, along, down);${mix("sum", "k", ofKeys, false, pieces)}
  }
  ${write("dq", "sum", ofQueries, pieces)}`)}`

/** A key-value head gathers from all its heads, and from the queries that may see a key of the block. */
const keyText = (pieces: number): string => `${exponentials}${helpers}
${main(`
  let key = group.x * ${block}u;
  let group_head = group.y;
  let share = p.heads / p.groups;
  var begin = 0u;
  if (p.causal == 1u) { begin = (max(key + p.queries, p.keys) - p.keys) / ${block}u * ${block}u; }
  ${declare("value_sum", pieces)} ${declare("key_sum", pieces)}
  for (var head = group_head * share; head < (group_head + 1u) * share; head++) {
    for (var query = begin; query < p.queries; query += ${block}u) {${slopes(pieces)}
      place(chance, along, down);${mix("value_sum", "dy", ofQueries, true, pieces)}
      workgroupBarrier();
      place(slope, along, down);${mix("key_sum", "q", ofQueries, true, pieces)}
    }
  }
  ${write("dv", "value_sum", ofKeys, pieces)}
  ${write("dk", "key_sum", ofKeys, pieces)}`)}`

interface Programs {
  readonly forward: WgslProgram
  readonly byQuery: WgslProgram
  readonly byKey: WgslProgram
}

const programs = new Map<number, Programs>()

/** The programs for a width, by its pieces. */
const programsOf = ({ width }: AttentionSize): Programs => {
  const pieces = Math.ceil(width / block)
  const known = programs.get(pieces)
  if (known !== undefined) return known
  const gradient = { reads: ["q", "k", "v", "dy", "statistics", "keyMask"], whole, real: ["scale"] }
  const made: Programs = {
    forward: {
      reads: ["q", "k", "v", "keyMask"],
      writes: ["y", "logSumExp"],
      whole,
      real: ["scale"],
      text: forwardText(pieces)
    },
    byQuery: { ...gradient, writes: ["dq"], text: queryText(pieces) },
    byKey: { ...gradient, writes: ["dv", "dk"], text: keyText(pieces) }
  }
  programs.set(pieces, made)
  return made
}

const numbersOf = (
  { queries, keys, heads, groups, width }: AttentionSize,
  { causal, scale }: AttentionAttributes,
  masked: boolean
) => ({ whole: [queries, keys, heads, groups, width, Number(causal), Number(masked)], real: [scale] })

type Operands = "q" | "k" | "v" | "keyMask"

/** Without a mask its place is taken by q, of which nothing is used there. */
const maskOf = (inputs: { readonly [name: string]: Shape }): string => ("keyMask" in inputs ? "keyMask" : "q")

export const webgpu: WebgpuBody<Operands, "y" | "logSumExp", AttentionAttributes> = {
  launches: (geometry, attributes) => {
    const { inputs } = geometry
    const size = attentionSize("attention", inputs, attributes)
    const { batch, queries, heads } = size
    // One query for each head fills no block; GPU.js's programs share its keys among threads.
    if (queries === 1) return gpujs.programs(geometry, attributes)
    return [
      {
        program: programsOf(size).forward,
        reads: ["q", "k", "v", maskOf(inputs)],
        writes: [{ name: "y" }, { name: "logSumExp" }],
        ...numbersOf(size, attributes, "keyMask" in inputs),
        workgroups: [Math.ceil(queries / block), heads, batch]
      }
    ]
  }
}

export const webgpuGradient: WebgpuBody<Operands | "y" | "logSumExp" | "dy", "dq" | "dk" | "dv", AttentionAttributes> =
  {
    launches: ({ inputs }, attributes) => {
      const size = attentionSize("attentionGradient", inputs, attributes)
      const { batch, queries, keys, heads, groups, width } = size
      const { byQuery, byKey } = programsOf(size)
      const rows = batch * heads * queries
      const reads = ["q", "k", "v", "dy", "statistics", maskOf(inputs)]
      const numbers = numbersOf(size, attributes, "keyMask" in inputs)
      const launches: readonly WgslLaunch[] = [
        {
          program: statistics,
          reads: ["y", "dy", "logSumExp"],
          writes: [{ name: "statistics", size: 2 * rows }],
          whole: [rows, queries, heads, width],
          workgroups: workgroupsOfElements(rows)
        },
        {
          program: byQuery,
          reads,
          writes: [{ name: "dq" }],
          ...numbers,
          workgroups: [Math.ceil(queries / block), heads, batch]
        },
        {
          program: byKey,
          reads,
          writes: [{ name: "dv" }, { name: "dk" }],
          ...numbers,
          workgroups: [Math.ceil(keys / block), groups, batch]
        }
      ]
      return launches
    }
  }
