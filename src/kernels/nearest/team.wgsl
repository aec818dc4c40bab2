// Lists that a workgroup makes together, for hardware: SLICES threads a query, each of which is offered rows in ascending
// order and keeps the LIST smallest values in registers (all loops over a list are written out, so that indices are
// constants); then lists of neighbouring slices are joined in pairs through workgroup memory. Slices are in the order of
// their rows: of equal values the one that is there first, or on the left, has the lower row and wins.

const LIST: u32 = 4u;
const QUERIES: u32 = 8u;
const SLICES: u32 = 32u;
const THREADS: u32 = QUERIES * SLICES; // thread = slice · QUERIES + query

// Larger than any distance; WGSL has no infinity.
const EMPTY_VALUE: f32 = 3.4e38;
const EMPTY_INDEX: u32 = 0xffffffffu;

var<private> list_values: array<f32, LIST>;
var<private> list_indices: array<u32, LIST>;

var<workgroup> team_values: array<f32, LIST * THREADS>; // [LIST][THREADS]: no two threads meet in a bank
var<workgroup> team_indices: array<u32, LIST * THREADS>;

fn clear_list() {
  for (var slot = 0u; slot < LIST; slot++) { // unroll
    list_values[slot] = EMPTY_VALUE;
    list_indices[slot] = EMPTY_INDEX;
  }
}

// Puts a value in its place, behind those that equal it; one that is not smaller than the list's largest changes nothing.
// No branch: with so few rows a thread, some thread of a subgroup has nearly always something to put in.
fn offer(value: f32, index: u32) {
  for (var i = 0u; i < LIST - 1u; i++) { // unroll
    let here = value < list_values[LIST - 1u - i];
    let before = value < list_values[LIST - 2u - i];
    list_indices[LIST - 1u - i] = select(select(list_indices[LIST - 1u - i], index, here), list_indices[LIST - 2u - i], before);
    list_values[LIST - 1u - i] = clamp(value, list_values[LIST - 2u - i], list_values[LIST - 1u - i]);
  }
  list_indices[0] = select(list_indices[0], index, value < list_values[0]);
  list_values[0] = min(value, list_values[0]);
}

// Joins the lists of all slices: member m of that of query q is then at m · THREADS + q of workgroup memory. All threads of the
// workgroup must call it.
fn join_lists(thread: u32) {
  let slice = thread / QUERIES;
  for (var lists = SLICES; lists > 0u; lists /= 2u) {
    if (slice < lists) {
      for (var slot = 0u; slot < LIST; slot++) { // unroll
        team_values[slot * THREADS + thread] = list_values[slot];
        team_indices[slot * THREADS + thread] = list_indices[slot];
      }
    }
    workgroupBarrier();
    if (slice < lists / 2u) {
      var left = thread + slice * QUERIES; // first member of slice 2 · slice
      var right = left + QUERIES;
      for (var slot = 0u; slot < LIST; slot++) { // unroll
        let of_left = team_values[left] <= team_values[right];
        list_values[slot] = min(team_values[left], team_values[right]);
        list_indices[slot] = team_indices[select(right, left, of_left)];
        left += select(0u, THREADS, of_left);
        right += select(THREADS, 0u, of_left);
      }
    }
    workgroupBarrier();
  }
}
