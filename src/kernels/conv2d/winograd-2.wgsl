// Winograd's F(2 × 2, 3 × 3): the transforms of one line. Lavin and Gray, arXiv 1509.09308, section 4.1.

const TILE: u32 = 2u; // outputs a side
const SIZE: u32 = 4u; // inputs a side

// What is transformed: one channel, or four neighbouring ones.
alias Value = f32;

// Bᵀ · d
fn transform_input(d: array<Value, SIZE>) -> array<Value, SIZE> {
  return array<Value, SIZE>(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]);
}

// Aᵀ · m
fn transform_output(m: array<Value, SIZE>) -> array<Value, TILE> {
  return array<Value, TILE>(m[0] + m[1] + m[2], m[1] - m[2] - m[3]);
}
