// Winograd convolution, second and last step in one: multiplies the transformed tiles with the transformed filters, element by
// element SIZE² matrix products, transforms back, Y = Aᵀ · M · A, and stores TILE × TILE outputs of each tile with bias,
// residual and activation. Joined with winograd-2.wgsl or winograd-4.wgsl.
// Against product/subgroup.wgsl and winograd-output.wgsl: a workgroup has all elements of its tiles and channels, so it
// transforms its own products back while they are in the cache, which saves a launch; and as in winograd-input-subgroup.wgsl a
// lane has one column of a tile then and gets the sums along a line by shuffles. The choice on lavapipe.
// A workgroup is one subgroup and computes ROWS tiles × SUBGROUP · GROUPS vec4 of output channels.

struct Params {
  count: u32,         // workgroups
  column_groups: u32, // of them side by side
  tiles: u32,
  inner: u32,         // input channels
  columns: u32,       // output channels in vec4
  plane_left: u32,    // from one element to the next: floats of transformed tiles
  plane_right: u32,   // likewise vec4 of filters
  first_image: u32,
  out_height: u32, out_width: u32,
  tiles_y: u32, tiles_x: u32, // of an image
  longest_loop: u32,
  has_bias: u32, has_residual: u32, activation: u32,
}

@group(0) @binding(0) var<storage, read> transformed: array<f32>; // [SIZE², tile, input channel]
@group(0) @binding(1) var<storage, read> filters: array<vec4f>;   // [SIZE², input channel, output channel / 4]
@group(0) @binding(4) var<storage, read_write> products: array<vec4f>; // [workgroup, SIZE², ROWS, SUBGROUP · GROUPS]
@group(0) @binding(5) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(6) var<uniform> params: Params;

const SUBGROUP: u32 = 8u;
const ROWS: u32 = 16u;
const GROUPS: u32 = 2u;

// Products of one element: rows × columns of the workgroup, stored from `at` on.
fn multiply(plane: u32, first_row: u32, column: u32, lane: u32, at: u32) {
  var lefts: array<u32, ROWS / SUBGROUP>;
  for (var i = 0u; i < ROWS / SUBGROUP; i++) { // unroll
    // Rows beyond the last tile are it again, and nobody's.
    lefts[i] = plane * params.plane_left + min(first_row + i * SUBGROUP + lane, params.tiles - 1u) * params.inner;
  }
  var right = plane * params.plane_right + column;
  var sums = array<vec4f, ROWS * GROUPS>();
  for (var k = 0u; k < params.inner; k++) {
    var mine: array<f32, ROWS / SUBGROUP>;
    for (var i = 0u; i < ROWS / SUBGROUP; i++) { // unroll
      mine[i] = transformed[lefts[i] + k];
    }
    var factors: array<vec4f, GROUPS>;
    for (var j = 0u; j < GROUPS; j++) { // unroll
      factors[j] = filters[right + j * SUBGROUP];
    }
    right += params.columns;
    for (var i = 0u; i < ROWS; i++) { // unroll
      let value = vec4f(subgroupBroadcast(mine[i / SUBGROUP], i % SUBGROUP));
      for (var j = 0u; j < GROUPS; j++) { // unroll
        sums[i * GROUPS + j] = fma(value, factors[j], sums[i * GROUPS + j]);
      }
    }
  }
  for (var i = 0u; i < ROWS * GROUPS; i++) { // unroll-memory
    products[at + i * SUBGROUP + lane] = sums[i];
  }
}

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) { return; }
  let row_of_groups = index / params.column_groups;
  let first_row = row_of_groups * ROWS;
  let first_column = (index - row_of_groups * params.column_groups) * SUBGROUP * GROUPS;
  let base = index * SIZE * SIZE * ROWS * GROUPS * SUBGROUP;
  for (var plane = 0u; plane < SIZE * SIZE; plane++) {
    multiply(plane, first_row, first_column + lane, lane, base + plane * ROWS * GROUPS * SUBGROUP);
  }
  storageBarrier();

  var shifts: array<vec4f, GROUPS>;
  for (var j = 0u; j < GROUPS; j++) { // unroll
    shifts[j] = bias_of(min(first_column + j * SUBGROUP + lane, params.columns - 1u));
  }
  // SIZE lanes transform one vec4 of channels, each a column of the tile.
  let member = min(lane / SIZE, SUBGROUP / SIZE - 1u);
  let first_lane = member * SIZE;
  let column = lane - first_lane;
  var factors = output_factors(column);
  for (var row = 0u; row < min(ROWS, params.tiles - first_row); row++) {
    let tile = first_row + row;
    let tile_line = tile / params.tiles_x;
    let image = tile_line / params.tiles_y;
    let x = (tile - tile_line * params.tiles_x) * TILE + column;
    let first_y = (tile_line - image * params.tiles_y) * TILE;
    let line = (params.first_image + image) * params.out_height + first_y;
    for (var first = 0u; first < SUBGROUP * GROUPS; first += SUBGROUP / SIZE) {
      let place = first + member;
      let channel = first_column + place;
      var shift = vec4f(0.0);
      for (var j = 0u; j < GROUPS; j++) { // unroll
        let own = subgroupShuffle(shifts[j], place % SUBGROUP);
        shift = select(shift, own, place / SUBGROUP == j);
      }
      var values = array<vec4f, SIZE>(); // a column of M
      let at = base + row * GROUPS * SUBGROUP + place;
      for (var i = 0u; i < SIZE; i++) { // unroll
        if (column < SIZE) { values[i] = products[at + (i * SIZE + column) * ROWS * GROUPS * SUBGROUP]; }
      }
      var half = transform_output(values); // a column of Aᵀ · M
      for (var i = 0u; i < TILE; i++) { // unroll
        var sum = vec4f(0.0);
        for (var k = 0u; k < SIZE; k++) { // unroll
          sum = fma(vec4f(factors[k]), subgroupShuffle(half[i], first_lane + k), sum);
        }
        if (column < TILE && x < params.out_width && first_y + i < params.out_height && channel < params.columns) {
          let to = ((line + i) * params.out_width + x) * params.columns + channel;
          result[to] = finish(sum, shift, to);
        }
      }
    }
  }
}
