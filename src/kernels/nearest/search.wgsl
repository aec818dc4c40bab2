// What all searches share: bindings, parameters, and how a workgroup finds its rows and leaves its lists.
//
// A search ranks the rows b of one segment of the bank for each query q by ½|b − o|² − b·(q − o), which orders them as the
// distance does, and keeps the best of each query at hand: the matrix of distances never exists. The origin o is row 0 of
// the bank: what all vectors have in common then costs less of the precision. Still, rounding grows with the lengths of
// the vectors, so the lists are longer than what is asked for, and `refine.wgsl` measures their members.

alias BankElement = Stored;
alias ColumnElement = vec4f;

struct Params {
  queries: u32,
  vectors: u32,       // elements of a row / 4
  rows: u32,          // rows bound
  first_row: u32,     // number of the first bound row
  segment_rows: u32,  // rows a segment; workgroup.y is the segment
  first_segment: u32, // number of the first segment, where its lists go
  list: u32,          // members of a list
}

@group(0) @binding(0) var<storage, read> columns: array<ColumnElement>; // [blocks][elements][block]: o − q
@group(0) @binding(1) var<storage, read> bank: array<BankElement>;      // [rows][elements]
@group(0) @binding(2) var<storage, read> norms: array<f32>;             // ½|b − o|² of the whole bank
@group(0) @binding(3) var<storage, read_write> values: array<f32>;      // [segments][queries][list]
@group(0) @binding(4) var<storage, read_write> indices: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

fn store(list: u32, query: u32, segment: u32) {
  if (query >= params.queries) { return; }
  let first = ((params.first_segment + segment) * params.queries + query) * params.list;
  for (var slot = 0u; slot < params.list; slot++) {
    values[first + slot] = list_values[list * CAPACITY + slot];
    indices[first + slot] = list_indices[list * CAPACITY + slot];
  }
}
