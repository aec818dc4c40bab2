// Winograd convolution, first step: cuts the input into overlapping tiles of SIZE × SIZE and transforms each,
// V = Bᵀ · d · B, a channel by itself. Joined with winograd-2.wgsl or winograd-4.wgsl.
// Against winograd-input.wgsl: a lane of a subgroup has one column of a tile, not all of them. It transforms its column by
// itself and gets the sums along a line from its neighbours by shuffles, so that a tile needs SIZE registers and no array
// that a variable indexes; and a workgroup goes down a column of tiles and keeps the lines that two tiles share.
// The choice on lavapipe, where a load costs as much as eight shuffles.
// A workgroup is one subgroup: SUBGROUP / SIZE neighbouring tiles of one Value (four channels, where their number allows it).

struct Params {
  count: u32, // workgroups
  first_image: u32,
  in_height: u32, in_width: u32, channels: u32, // in Values
  padding_top: u32, padding_left: u32,
  tiles_y: u32, tiles_x: u32, // of an image
  groups_x: u32,              // workgroups side by side
  strip: u32,                 // tiles that a workgroup goes down
  strips: u32,                // of an image
  plane: u32,                 // from one element of the tiles to the next: tiles · channels
}

@group(0) @binding(0) var<storage, read> input: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>; // [SIZE², tile, channel]
@group(0) @binding(2) var<uniform> params: Params;

const SUBGROUP: u32 = 8u;

fn value_of(line: u32, x: u32, y: u32, channel: u32) -> Value {
  let inside = x < params.in_width && y < params.in_height;
  let at = select(0u, ((line + y) * params.in_width + x) * params.channels + channel, inside);
  return select(Value(0.0), input[at], inside);
}

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) { return; }
  let column_of_tiles = index / params.channels;
  let channel = index - column_of_tiles * params.channels;
  let strip = column_of_tiles / params.groups_x;
  let image = strip / params.strips;
  let first_tile = (strip - image * params.strips) * params.strip;
  // Lanes behind the last whole tile have nothing to do.
  let tile = min(lane / SIZE, SUBGROUP / SIZE - 1u);
  let first_lane = tile * SIZE;
  let column = lane - first_lane;
  let tile_x = (column_of_tiles - strip * params.groups_x) * (SUBGROUP / SIZE) + tile;
  let stores = column < SIZE && tile_x < params.tiles_x;
  let x = select(params.in_width, tile_x * TILE + column - params.padding_left, stores);
  let line = (params.first_image + image) * params.in_height;
  var factors = input_factors(column);
  var y = first_tile * TILE - params.padding_top;
  var values: array<Value, SIZE>; // a column of the tile
  for (var i = 0u; i < SIZE - TILE; i++) { // unroll
    values[TILE + i] = value_of(line, x, y + i, channel);
  }
  let last_tile = min(first_tile + params.strip, params.tiles_y);
  for (var tile_y = first_tile; tile_y < last_tile; tile_y++) {
    for (var i = 0u; i < SIZE - TILE; i++) { // unroll
      values[i] = values[TILE + i];
    }
    for (var i = 0u; i < TILE; i++) { // unroll
      values[SIZE - TILE + i] = value_of(line, x, y + SIZE - TILE + i, channel);
    }
    y += TILE;
    var half = transform_input(values); // a column of Bᵀ · d
    let at = ((image * params.tiles_y + tile_y) * params.tiles_x + tile_x) * params.channels + channel;
    for (var i = 0u; i < SIZE; i++) { // unroll
      var sum = Value(0.0);
      for (var k = 0u; k < SIZE; k++) { // unroll
        sum = fma(Value(factors[k]), subgroupShuffle(half[i], first_lane + k), sum);
      }
      if (stores) { result[(i * SIZE + column) * params.plane + at] = sum; }
    }
  }
}
