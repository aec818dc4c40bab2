// Lowers distances to new centres, for software adapters, where loads are what costs: a workgroup is one subgroup of LANES
// lanes. A lane holds two points (LANES apart), loads ROWS of the tile's LANES · ROWS centres, and hands them round with
// subgroupBroadcast: six loads of four elements serve 64 distances. A broadcast needs a constant lane number, so the loops
// marked `unroll` are written out by the record.

const LANES: u32 = 8u;
const ROWS: u32 = 4u;
const TILE: u32 = LANES * ROWS;

fn squares(sum: vec2f, centre: vec4f, p0: vec4f, p1: vec4f) -> vec2f {
  let x = vec2f(p0.x, p1.x) - centre.x;
  let y = vec2f(p0.y, p1.y) - centre.y;
  let z = vec2f(p0.z, p1.z) - centre.z;
  let w = vec2f(p0.w, p1.w) - centre.w;
  return fma(w, w, fma(z, z, fma(y, y, fma(x, x, sum))));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = (group.x + group.y * groups.x) * 2u * LANES;
  if (first >= params.points) { return; }
  let at = first / 64u * params.vectors * 64u + first % 64u + lane;
  let last = count[0] - 1u;
  var best = vec2f(3.4e38);
  for (var tile = 0u; tile <= last; tile += TILE) {
    // Centres past the end are the last one again, which changes no minimum.
    var starts: array<u32, ROWS>;
    for (var row_number = 0u; row_number < ROWS; row_number++) { // unroll
      starts[row_number] = min(tile + row_number * LANES + lane, last) * params.vectors;
    }
    var sums: array<vec2f, TILE>;
    // A declaration in a loop is not set to zero anew on every turn by all compilers.
    for (var row_number = 0u; row_number < ROWS; row_number++) { // unroll
      for (var source = 0u; source < LANES; source++) { // unroll
        sums[row_number * LANES + source] = vec2f();
      }
    }
    for (var k = 0u; k < params.vectors; k++) {
      let p0 = points[at + k * 64u];
      let p1 = points[at + k * 64u + LANES];
      var rows: array<vec4f, ROWS>;
      for (var row_number = 0u; row_number < ROWS; row_number++) { // unroll
        rows[row_number] = centres[starts[row_number] + k];
      }
      for (var row_number = 0u; row_number < ROWS; row_number++) { // unroll
        for (var source = 0u; source < LANES; source++) { // unroll
          sums[row_number * LANES + source] = squares(sums[row_number * LANES + source], subgroupBroadcast(rows[row_number], source), p0, p1);
        }
      }
    }
    for (var row_number = 0u; row_number < ROWS; row_number++) { // unroll
      for (var source = 0u; source < LANES; source++) { // unroll
        best = min(best, sums[row_number * LANES + source]);
      }
    }
  }
  let place = first + lane;
  if (place < params.points) { minimum[place] = min(minimum[place], best.x); }
  if (place + LANES < params.points) { minimum[place + LANES] = min(minimum[place + LANES], best.y); }
}
