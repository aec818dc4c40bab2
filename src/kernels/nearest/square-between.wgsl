// A thread's part of a squared distance, from the differences themselves, which do not cancel.

@group(0) @binding(0) var<storage, read> queries: array<vec4f>; // [queries][vectors]
@group(0) @binding(1) var<storage, read> bank: array<Stored>;   // [rows][vectors]

// Lane `lane` of LANES takes every LANESth vector.
fn square_between(query: u32, row: u32, lane: u32) -> f32 {
  let a = query * params.vectors;
  let b = row * params.vectors;
  var sum = 0.0;
  for (var k = lane; k < params.vectors; k += LANES) {
    let difference = queries[a + k] - widen(bank[b + k]);
    sum += dot(difference, difference);
  }
  return sum;
}
