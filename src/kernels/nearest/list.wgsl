// A list of the `params.list` smallest values seen so far with their row numbers, in order. Only its largest value, which nearly
// every offer fails on, is worth a register; the members lie in private memory and move seldom.
// A value that equals one in the list goes behind it: rows are offered in ascending order, so the lowest number wins.

// Most members: 16 neighbours and 3 to spare. How many are kept is a parameter, so that one pipeline serves all.
const CAPACITY: u32 = 19u;

// Larger than any distance; WGSL has no infinity.
const EMPTY_VALUE: f32 = 3.4e38;
const EMPTY_INDEX: u32 = 0xffffffffu;

struct List {
  worst: f32,
  values: array<f32, CAPACITY>,
  indices: array<u32, CAPACITY>,
}

fn clear(list: ptr<private, List>) {
  (*list).worst = EMPTY_VALUE;
  for (var slot = 0u; slot < CAPACITY; slot++) {
    (*list).values[slot] = EMPTY_VALUE;
    (*list).indices[slot] = EMPTY_INDEX;
  }
}

fn insert(list: ptr<private, List>, value: f32, index: u32) {
  var slot = params.list - 1u;
  while (slot > 0u && value < (*list).values[slot - 1u]) {
    (*list).values[slot] = (*list).values[slot - 1u];
    (*list).indices[slot] = (*list).indices[slot - 1u];
    slot--;
  }
  (*list).values[slot] = value;
  (*list).indices[slot] = index;
  (*list).worst = (*list).values[params.list - 1u];
}
