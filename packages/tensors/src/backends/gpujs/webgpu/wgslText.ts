/** Pieces of WGSL that bodies share: threads over elements, and sums and maxima over the threads of a workgroup, in a fixed order. */
import { inRows } from "./WebgpuBody.ts"

/** Threads of a workgroup. */
export const threads = 256

/** The number of a workgroup among those of `inRows`. */
const groupNumber = "group.y * groups.x + group.x"

/** A workgroup of threads. */
export const main = (body: string): string => `
@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32
) {
${body}
}`

/** A thread for each of `p.size` elements: `body` computes element `i`. */
export const elementwise = (body: string): string =>
  main(`  let i = (${groupNumber}) * ${threads}u + lane;\n  if (i >= p.size) { return; }\n${body}`)

export const workgroupsOfElements = (size: number) => inRows(Math.ceil(size / threads))

/** Runs `statement` for column `c` and its element `i` of a row, each thread for its share of `p.columns` columns. */
export const overColumns = (statement: string): string => `
  for (var c = lane; c < p.columns; c += ${threads}u) {
    let i = row * p.columns + c;
    ${statement}
  }`

/** A workgroup for each of `p.rows` rows: `body` computes row `row` by the thread `lane` of `threads`. */
export const rowwise = (body: string): string =>
  main(`  let row = ${groupNumber};\n  if (row >= p.rows) { return; }\n${body}`)

/** Columns that a workgroup of `sumDown` takes; as many threads as are left add up each of them. */
const columnsOfGroup = 32

/**
 * sumAcross(value, lane) and mostAcross(value, lane): of the values of all threads of the workgroup, the same for each of them.
 * NaN makes a sum NaN; a maximum passes it over. sumDown(value, lane): of the threads of the same column, lane % 32.
 */
export const across = `
var<workgroup> shared_values: array<f32, ${threads}>;
fn sumAcross(value: f32, lane: u32) -> f32 {
  shared_values[lane] = value;
  workgroupBarrier();
  for (var half = ${threads / 2}u; half > 0u; half >>= 1u) {
    if (lane < half) { shared_values[lane] += shared_values[lane + half]; }
    workgroupBarrier();
  }
  let sum = shared_values[0];
  workgroupBarrier();
  return sum;
}
fn mostAcross(value: f32, lane: u32) -> f32 {
  shared_values[lane] = value;
  workgroupBarrier();
  for (var half = ${threads / 2}u; half > 0u; half >>= 1u) {
    if (lane < half && shared_values[lane + half] > shared_values[lane]) { shared_values[lane] = shared_values[lane + half]; }
    workgroupBarrier();
  }
  let most = shared_values[0];
  workgroupBarrier();
  return most;
}
fn sumDown(value: f32, lane: u32) -> f32 {
  shared_values[lane] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = lane % ${columnsOfGroup}u; i < ${threads}u; i += ${columnsOfGroup}u) { sum += shared_values[i]; }
  workgroupBarrier();
  return sum;
}`

/** Largest of `element` over the columns of a row, as the constant `name`; NaN is passed over. */
export const largestOverColumns = (name: string, element: string): string => `
  var own_${name} = -3.4028234663852886e38;
  ${overColumns(`if (${element} > own_${name}) { own_${name} = ${element}; }`)}
  let ${name} = mostAcross(own_${name}, lane);`

/**
 * Gradients by row and by column in one launch: the first workgroups call `slopeOfRow(row, lane)`, the others add up, over the rows of 32
 * columns each, the term of every output; element `i` is in row `row`.
 */
export const rowsThenColumns = (terms: Readonly<Record<string, string>>): string => {
  const each = (line: (output: string, term: string) => string) =>
    Object.entries(terms)
      .map(([output, term]) => line(output, term))
      .join("\n  ")
  return main(`
  let index = ${groupNumber};
  if (index < p.rows) {
    slopeOfRow(index, lane);
    return;
  }
  let column = (index - p.rows) * ${columnsOfGroup}u + lane % ${columnsOfGroup}u;
  ${each((output) => `var sum_${output} = 0.0;`)}
  if (column < p.columns) {
    for (var row = lane / ${columnsOfGroup}u; row < p.rows; row += ${threads / columnsOfGroup}u) {
      let i = row * p.columns + column;
      ${each((output, term) => `sum_${output} += ${term};`)}
    }
  }
  ${each((output) => `let all_${output} = sumDown(sum_${output}, lane);`)}
  if (lane < ${columnsOfGroup}u && column < p.columns) {
    ${each((output) => `${output}[column] = all_${output};`)}
  }`)
}

/** Workgroups of `rowsThenColumns`. */
export const workgroupsOfRowsThenColumns = (rows: number, columns: number) =>
  inRows(rows + Math.ceil(columns / columnsOfGroup))
