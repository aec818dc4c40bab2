// Lowers distances to new centres through workgroup memory, for hardware: a workgroup takes one block of 64 points and the
// centres CENTRES at a time, DEPTH vectors of both at once; thread (x, y) measures the points x, x + 16, … and the centres
// y, y + 16, …: 12 loads of four elements from there for 128 differences. Against the register variant, nothing is loaded
// from memory more than once a workgroup, and four times as many threads share a block of points.

const DEPTH: u32 = 4u;
const CENTRES: u32 = 128u;

const PITCH: u32 = CENTRES + 2u; // two more than needed, against bank conflicts

var<workgroup> near: array<vec4f, DEPTH * 64u>;    // [vector][point]
var<workgroup> targets: array<vec4f, DEPTH * PITCH>; // [vector][centre]; at last the threads' minima

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) local: vec3u, @builtin(local_invocation_index) thread: u32) {
  let block = group.x + group.y * groups.x;
  if (block * 64u >= params.points) { return; }
  let start = block * params.vectors * 64u;
  let last = count[0] - 1u;
  var best = vec4f(3.4e38);
  for (var first = 0u; first <= last; first += CENTRES) {
    var sums: array<vec4f, CENTRES / 16>;
    for (var j = 0u; j < CENTRES / 16; j++) { // unroll
      sums[j] = vec4f();
    }
    for (var vector = 0u; vector < params.vectors; vector += DEPTH) {
      workgroupBarrier();
      // Vectors past the end are zero in both, which changes no distance.
      if (vector + thread / 64u < params.vectors) {
        near[thread] = points[start + vector * 64u + thread];
      } else {
        near[thread] = vec4f();
      }
      for (var part = 0u; part < CENTRES * DEPTH / 256; part++) { // unroll
        let place = part * 256u + thread;
        let k = vector + place % DEPTH;
        // Centres past the end are the last one again, which changes no minimum.
        let row = min(first + place / DEPTH, last) * params.vectors;
        var centre = vec4f();
        if (k < params.vectors) { centre = centres[row + k]; }
        targets[place % DEPTH * PITCH + place / DEPTH] = centre;
      }
      workgroupBarrier();
      for (var k = 0u; k < DEPTH; k++) { // unroll
        let p0 = near[k * 64u + local.x];
        let p1 = near[k * 64u + local.x + 16u];
        let p2 = near[k * 64u + local.x + 32u];
        let p3 = near[k * 64u + local.x + 48u];
        for (var j = 0u; j < CENTRES / 16; j++) { // unroll
          sums[j] = squares(sums[j], targets[k * PITCH + j * 16u + local.y], p0, p1, p2, p3);
        }
      }
    }
    for (var j = 0u; j < CENTRES / 16; j++) { // unroll
      best = min(best, sums[j]);
    }
  }
  workgroupBarrier();
  targets[thread] = best;
  workgroupBarrier();
  let place = block * 64u + thread;
  if (thread >= 64u || place >= params.points) { return; }
  var least = minimum[place];
  for (var y = 0u; y < 16u; y++) {
    least = min(least, targets[y * 16u + thread % 16u][thread / 16u]);
  }
  minimum[place] = least;
}
