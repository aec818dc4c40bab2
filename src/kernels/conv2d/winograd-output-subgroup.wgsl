// Winograd convolution, last step: transforms the products back, Y = Aᵀ · M · A, and stores TILE × TILE outputs of each
// tile with bias, residual and activation. Joined with winograd-2.wgsl or winograd-4.wgsl.
// Against winograd-output.wgsl: as winograd-input-subgroup.wgsl, a lane of a subgroup has one column of a tile.
// A workgroup is one subgroup: SUBGROUP / SIZE neighbouring tiles of one Value, and those below them.

struct Params {
  count: u32, // workgroups
  first_image: u32,
  out_height: u32, out_width: u32, channels: u32, // in Values
  tiles_y: u32, tiles_x: u32, // of an image
  groups_x: u32,              // workgroups side by side
  strip: u32,                 // tiles that a workgroup goes down
  strips: u32,                // of an image
  plane: u32,                 // from one element of the tiles to the next: tiles · channels
  has_bias: u32, has_residual: u32, activation: u32,
}

@group(0) @binding(0) var<storage, read> products: array<Value>; // [SIZE², tile, channel]
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(4) var<uniform> params: Params;

const SUBGROUP: u32 = 8u;

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) { return; }
  let column_of_tiles = index / params.channels;
  let channel = index - column_of_tiles * params.channels;
  let strip = column_of_tiles / params.groups_x;
  let image = strip / params.strips;
  let first_tile = (strip - image * params.strips) * params.strip;
  let tile = min(lane / SIZE, SUBGROUP / SIZE - 1u);
  let first_lane = tile * SIZE;
  let column = lane - first_lane;
  let tile_x = (column_of_tiles - strip * params.groups_x) * (SUBGROUP / SIZE) + tile;
  let loads = column < SIZE && tile_x < params.tiles_x;
  let x = tile_x * TILE + column;
  let stores = column < TILE && x < params.out_width;
  let line = (params.first_image + image) * params.out_height;
  let shift = bias_of(channel);
  var factors = output_factors(column);
  let last_tile = min(first_tile + params.strip, params.tiles_y);
  for (var tile_y = first_tile; tile_y < last_tile; tile_y++) {
    let at = ((image * params.tiles_y + tile_y) * params.tiles_x + tile_x) * params.channels + channel;
    var values: array<Value, SIZE>; // a column of M
    for (var i = 0u; i < SIZE; i++) { // unroll
      if (loads) { values[i] = products[(i * SIZE + column) * params.plane + at]; }
    }
    var half = transform_output(values); // a column of Aᵀ · M
    for (var i = 0u; i < TILE; i++) { // unroll
      var sum = Value(0.0);
      for (var k = 0u; k < SIZE; k++) { // unroll
        sum = fma(Value(factors[k]), subgroupShuffle(half[i], first_lane + k), sum);
      }
      let y = tile_y * TILE + i;
      if (stores && y < params.out_height) {
        let index = ((line + y) * params.out_width + x) * params.channels + channel;
        result[index] = finish(sum, shift, index);
      }
    }
  }
}
