// The `params.list` smallest values that a thread has seen so far with their row numbers, in order; in private memory, as
// members seldom move. A value that equals one in the list goes behind it: rows are offered in ascending order, so the
// lowest number wins.

// Most members: 16 neighbours and 3 to spare. How many are kept is a parameter, so that one pipeline serves all.
const CAPACITY: u32 = 19u;

// Larger than any distance; WGSL has no infinity.
const EMPTY_VALUE: f32 = 3.4e38;
const EMPTY_INDEX: u32 = 0xffffffffu;

var<private> list_values: array<f32, CAPACITY>;
var<private> list_indices: array<u32, CAPACITY>;

fn clear_list() {
  for (var slot = 0u; slot < CAPACITY; slot++) {
    list_values[slot] = EMPTY_VALUE;
    list_indices[slot] = EMPTY_INDEX;
  }
}

// Puts a value that is smaller than the list's largest in its place and gives the new largest.
fn insert(value: f32, index: u32) -> f32 {
  var slot = params.list - 1u;
  while (slot > 0u && value < list_values[slot - 1u]) {
    list_values[slot] = list_values[slot - 1u];
    list_indices[slot] = list_indices[slot - 1u];
    slot--;
  }
  list_values[slot] = value;
  list_indices[slot] = index;
  return list_values[params.list - 1u];
}
