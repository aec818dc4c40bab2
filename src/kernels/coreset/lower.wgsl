// What the kernels share that lower every point's distance to a number of new centres at once: bindings and parameters.
// Distances are squared, summed from the differences.

struct Params {
  points: u32,  // bound
  vectors: u32, // elements of a point / 4
}

@group(0) @binding(0) var<storage, read> points: array<vec4f>;  // [blocks][vectors][64]
@group(0) @binding(1) var<storage, read> centres: array<vec4f>; // [count][vectors]
@group(0) @binding(2) var<storage, read> count: array<u32>;     // one: the centres
@group(0) @binding(3) var<storage, read_write> minimum: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;
