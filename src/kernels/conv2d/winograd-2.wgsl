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

// Row `line` of Bᵀ: what the values of a line weigh in value `line` of its transform.
fn input_factors(line: u32) -> array<f32, SIZE> {
  const rows = array<array<f32, SIZE>, SIZE>(
    array<f32, SIZE>(1.0, 0.0, -1.0, 0.0),
    array<f32, SIZE>(0.0, 1.0, 1.0, 0.0),
    array<f32, SIZE>(0.0, -1.0, 1.0, 0.0),
    array<f32, SIZE>(0.0, 1.0, 0.0, -1.0),
  );
  return rows[min(line, SIZE - 1u)];
}

// Likewise of Aᵀ.
fn output_factors(line: u32) -> array<f32, SIZE> {
  const rows = array<array<f32, SIZE>, TILE>(array<f32, SIZE>(1.0, 1.0, 1.0, 0.0), array<f32, SIZE>(0.0, 1.0, -1.0, -1.0));
  return rows[min(line, TILE - 1u)];
}
