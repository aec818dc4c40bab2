// Winograd's F(2 × 2, 3 × 3): the transforms of one line. Lavin and Gray, arXiv 1509.09308, section 4.1.

const TILE: u32 = 2u; // outputs a side
const SIZE: u32 = 4u; // inputs a side

// Bᵀ · d
fn transform_input(d: array<f32, SIZE>) -> array<f32, SIZE> {
  return array<f32, SIZE>(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]);
}

// Aᵀ · m
fn transform_output(m: array<f32, SIZE>) -> array<f32, TILE> {
  return array<f32, TILE>(m[0] + m[1] + m[2], m[1] - m[2] - m[3]);
}
