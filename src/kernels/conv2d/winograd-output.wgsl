// Winograd convolution, last step: transforms the products back, Y = Aᵀ · M · A, and stores TILE × TILE outputs of each
// tile with bias, residual and activation. Joined with winograd-2.wgsl or winograd-4.wgsl.
// Thread t has one Value (four output channels, where their number allows it) of one tile; neighbouring threads have neighbouring channels.

struct Params {
  count: u32, // threads
  longest_loop: u32,
  first_image: u32,
  out_height: u32, out_width: u32, channels: u32, // in Values
  tiles_y: u32, tiles_x: u32, // of an image
  plane: u32,                 // from one element of the tiles to the next: tiles · channels
  has_bias: u32, has_residual: u32, activation: u32,
}

@group(0) @binding(0) var<storage, read> products: array<Value>; // [SIZE², tile, channel]
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let tile = index / params.channels;
  let channel = index - tile * params.channels;
  let tile_line = tile / params.tiles_x;
  let image = tile_line / params.tiles_y;
  let first_x = (tile - tile_line * params.tiles_x) * TILE;
  let first_y = (tile_line - image * params.tiles_y) * TILE;
  let first_line = (params.first_image + image) * params.out_height;
  var half: array<Value, SIZE * TILE>; // M · A, a line after the other
  for (var line = 0u; line < SIZE; line++) { // unroll-memory
    var values: array<Value, SIZE>;
    for (var i = 0u; i < SIZE; i++) { // unroll-memory
      values[i] = products[(line * SIZE + i) * params.plane + index];
    }
    var transformed = transform_output(values);
    for (var i = 0u; i < TILE; i++) { // unroll
      half[line * TILE + i] = transformed[i];
    }
  }
  let shift = bias_of(channel);
  for (var column = 0u; column < TILE; column++) { // unroll-memory
    var values: array<Value, SIZE>;
    for (var i = 0u; i < SIZE; i++) { // unroll
      values[i] = half[i * TILE + column];
    }
    var outputs = transform_output(values);
    let x = first_x + column;
    for (var i = 0u; i < TILE; i++) { // unroll-memory
      let y = first_y + i;
      if (x < params.out_width && y < params.out_height) {
        let at = ((first_line + y) * params.out_width + x) * params.channels + channel;
        result[at] = finish(outputs[i], shift, at);
      }
    }
  }
}
