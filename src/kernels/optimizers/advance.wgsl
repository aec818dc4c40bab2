// Begins an optimiser step: counts it, moves the bias corrections 1 − βᵗ on by c' = c·β + (1 − β), which loses no
// digits where 1 − βᵗ would cancel, and clears the marks of non-finite gradients.
// Thread t clears mark t; thread 0 does the rest.

struct Params {
  marks: u32,
  beta1: f32,
  beta2: f32,
  rest1: f32,   // 1 − beta1, rounded once
  rest2: f32,
}

@group(0) @binding(0) var<storage, read_write> state: array<f32>;  // step, corrections of the two moments
@group(0) @binding(1) var<storage, read_write> marks: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x == 0u) {
    state[0] += 1.0;
    state[1] = state[1] * params.beta1 + params.rest1;
    state[2] = state[2] * params.beta2 + params.rest2;
  }
  if (id.x < params.marks) { marks[id.x] = 0u; }
}
