// Last step of the streaming update: counts the batch's valid images as seen. One thread.

struct Params {
  batch: u32,   // images a batch can hold
}

@group(0) @binding(0) var<storage, read> valid: array<f32>;        // [1]
@group(0) @binding(1) var<storage, read_write> seen: array<f32>;   // [1]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(1)
fn main() {
  seen[0] += f32(min(u32(valid[0]), params.batch));
}
