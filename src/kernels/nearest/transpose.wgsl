// Query rows, seen from the origin (row 0 of the bank) and negated, as columns: the right operand of the product.
// Columns past the last query repeat it. Thread t computes four elements of a column.

struct Params {
  queries: u32,
  vectors: u32, // elements of a query / 4
  columns: u32, // queries, rounded up to a multiple of four
}

@group(0) @binding(0) var<storage, read> rows: array<vec4f>;
@group(0) @binding(1) var<storage, read> origin: array<Stored>;
@group(0) @binding(2) var<storage, read_write> columns: array<f32>; // [elements][columns]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.columns * params.vectors) { return; }
  let width = params.columns;
  let column = index % width;
  let query = min(column, params.queries - 1u);
  let k = index / width;
  let from_origin = widen(origin[k]) - rows[query * params.vectors + k];
  let start = k * 4u * width + column;
  columns[start] = from_origin.x;
  columns[start + width] = from_origin.y;
  columns[start + 2u * width] = from_origin.z;
  columns[start + 3u * width] = from_origin.w;
}
