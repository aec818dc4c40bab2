// Winograd convolution, first step: cuts the input into overlapping tiles of SIZE × SIZE and transforms each,
// V = Bᵀ · d · B, a channel by itself. Joined with winograd-2.wgsl or winograd-4.wgsl.
// Thread t transforms one Value (four channels, where their number allows it) of one tile; neighbouring
// threads have neighbouring channels. First the columns of the tile, then its lines, so that only one column or line is
// in registers at a time.

struct Params {
  count: u32, // threads
  longest_loop: u32,
  first_image: u32,
  in_height: u32, in_width: u32, channels: u32, // in Values
  padding_top: u32, padding_left: u32,
  tiles_y: u32, tiles_x: u32, // of an image
  plane: u32,                 // from one element of the tiles to the next: tiles · channels
}

@group(0) @binding(0) var<storage, read> input: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>; // [SIZE², tile, channel]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let tile = index / params.channels;
  let channel = index - tile * params.channels;
  let tile_line = tile / params.tiles_x;
  let image = tile_line / params.tiles_y;
  let first_x = (tile - tile_line * params.tiles_x) * TILE - params.padding_left;
  let first_y = (tile_line - image * params.tiles_y) * TILE - params.padding_top;
  let first_line = (params.first_image + image) * params.in_height;
  var half: array<Value, SIZE * SIZE>; // Bᵀ · d, a column after the other
  for (var column = 0u; column < SIZE; column++) { // unroll-memory
    let x = first_x + column;
    var values: array<Value, SIZE>;
    for (var i = 0u; i < SIZE; i++) { // unroll-memory
      let y = first_y + i;
      let inside = x < params.in_width && y < params.in_height;
      let at = select(0u, ((first_line + y) * params.in_width + x) * params.channels + channel, inside);
      values[i] = select(Value(0.0), input[at], inside);
    }
    var transformed = transform_input(values);
    for (var i = 0u; i < SIZE; i++) { // unroll
      half[column * SIZE + i] = transformed[i];
    }
  }
  for (var line = 0u; line < SIZE; line++) { // unroll-memory
    var values: array<Value, SIZE>;
    for (var i = 0u; i < SIZE; i++) { // unroll
      values[i] = half[i * SIZE + line];
    }
    var transformed = transform_input(values);
    for (var i = 0u; i < SIZE; i++) { // unroll-memory
      result[(line * SIZE + i) * params.plane + index] = transformed[i];
    }
  }
}
