// A sum over a row by LANES neighbouring threads, whose loads lie together and overlap: for hardware.

const LANES: u32 = 16u;

var<workgroup> lane_sums: array<f32, 64>;

// The first of each LANES threads gets the sum of theirs. All threads of the workgroup must call it.
fn sum_of_lanes(own: f32, thread: u32) -> f32 {
  lane_sums[thread] = own;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread % LANES < half) { lane_sums[thread] += lane_sums[thread + half]; }
  }
  return lane_sums[thread];
}
