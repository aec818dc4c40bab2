// What the kernels share that rank bank rows: parameters, and where their lists go.
//
// Rows b are ranked for a query q by ½|b − o|² − b·(q − o), which orders them as the distance does. The origin o is row 0 of
// the bank: what all vectors have in common then costs less of the precision. Still, rounding grows with the lengths of the
// vectors, so the lists are longer than what is asked for, and `refine.wgsl` measures their members.

struct Params {
  queries: u32,
  columns: u32,       // queries, rounded up to a multiple of four
  elements: u32,      // of a row
  rows: u32,          // rows at hand
  first_row: u32,     // number of the first of them
  segment_rows: u32,  // rows a segment; workgroup.y is the segment
  first_segment: u32, // number of the first segment, where its lists go
  list: u32,          // members of a list
}

@group(0) @binding(0) var<storage, read> norms: array<f32>;        // ½|b − o|² of the whole bank
@group(0) @binding(1) var<storage, read_write> values: array<f32>; // [segments][list][queries]
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;
