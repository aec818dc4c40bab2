// Lowers distances to new centres, for GPUs: thread t takes point t of four blocks and the centres four at a time: 16 sums
// in registers. All threads of a workgroup read the same centres.

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
