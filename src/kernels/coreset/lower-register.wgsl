// Lowers distances to new centres, for GPUs: thread t takes point t of four blocks and the centres four at a time: 16 sums
// in registers. All threads of a workgroup read the same centres.

fn squares(sum: vec4f, centre: vec4f, p0: vec4f, p1: vec4f, p2: vec4f, p3: vec4f) -> vec4f {
  let x = vec4f(p0.x, p1.x, p2.x, p3.x) - centre.x;
  let y = vec4f(p0.y, p1.y, p2.y, p3.y) - centre.y;
  let z = vec4f(p0.z, p1.z, p2.z, p3.z) - centre.z;
  let w = vec4f(p0.w, p1.w, p2.w, p3.w) - centre.w;
  return fma(w, w, fma(z, z, fma(y, y, fma(x, x, sum))));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = (group.x + group.y * groups.x) * 4u;
  if (first * 64u >= params.points) { return; }
  let next = params.vectors * 64u;
  let at = first * next + lane;
  let last = count[0] - 1u;
  var best = vec4f(3.4e38);
  for (var centre = 0u; centre <= last; centre += 4u) {
    // Centres past the end are the last one again, which changes no minimum.
    let start = min(vec4u(centre, centre + 1u, centre + 2u, centre + 3u), vec4u(last)) * params.vectors;
    var sum0 = vec4f();
    var sum1 = vec4f();
    var sum2 = vec4f();
    var sum3 = vec4f();
    for (var k = 0u; k < params.vectors; k++) {
      let p0 = points[at + k * 64u];
      let p1 = points[at + next + k * 64u];
      let p2 = points[at + 2u * next + k * 64u];
      let p3 = points[at + 3u * next + k * 64u];
      sum0 = squares(sum0, centres[start.x + k], p0, p1, p2, p3);
      sum1 = squares(sum1, centres[start.y + k], p0, p1, p2, p3);
      sum2 = squares(sum2, centres[start.z + k], p0, p1, p2, p3);
      sum3 = squares(sum3, centres[start.w + k], p0, p1, p2, p3);
    }
    best = min(best, min(min(sum0, sum1), min(sum2, sum3)));
  }
  for (var block = 0u; block < 4u; block++) {
    let place = (first + block) * 64u + lane;
    if (place < params.points) { minimum[place] = min(minimum[place], best[block]); }
  }
}
