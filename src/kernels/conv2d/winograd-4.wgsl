// Winograd's F(4 × 4, 3 × 3): the transforms of one line. Lavin and Gray, arXiv 1509.09308, section 4.3, with the points
// 0, ±1, ±2 and ∞.

const TILE: u32 = 4u; // outputs a side
const SIZE: u32 = 6u; // inputs a side

// What is transformed: one channel, or four neighbouring ones.
alias Value = f32;

// Bᵀ · d
fn transform_input(d: array<Value, SIZE>) -> array<Value, SIZE> {
  let even = d[4] - 4.0 * d[2];
  let odd = d[3] - 4.0 * d[1];
  let wide = d[4] - d[2];
  let far = 2.0 * (d[3] - d[1]);
  return array<Value, SIZE>(
    4.0 * d[0] - 5.0 * d[2] + d[4],
    even + odd,
    even - odd,
    wide + far,
    wide - far,
    4.0 * d[1] - 5.0 * d[3] + d[5],
  );
}

// Aᵀ · m
fn transform_output(m: array<Value, SIZE>) -> array<Value, TILE> {
  let near_sum = m[1] + m[2];
  let near_difference = m[1] - m[2];
  let far_sum = m[3] + m[4];
  let far_difference = m[3] - m[4];
  return array<Value, TILE>(
    m[0] + near_sum + far_sum,
    near_difference + 2.0 * far_difference,
    near_sum + 4.0 * far_sum,
    near_difference + 8.0 * far_difference + m[5],
  );
}

// Row `line` of Bᵀ: what the values of a line weigh in value `line` of its transform.
fn input_factors(line: u32) -> array<f32, SIZE> {
  const rows = array<array<f32, SIZE>, SIZE>(
    array<f32, SIZE>(4.0, 0.0, -5.0, 0.0, 1.0, 0.0),
    array<f32, SIZE>(0.0, -4.0, -4.0, 1.0, 1.0, 0.0),
    array<f32, SIZE>(0.0, 4.0, -4.0, -1.0, 1.0, 0.0),
    array<f32, SIZE>(0.0, -2.0, -1.0, 2.0, 1.0, 0.0),
    array<f32, SIZE>(0.0, 2.0, -1.0, -2.0, 1.0, 0.0),
    array<f32, SIZE>(0.0, 4.0, 0.0, -5.0, 0.0, 1.0),
  );
  return rows[min(line, SIZE - 1u)];
}

// Likewise of Aᵀ.
fn output_factors(line: u32) -> array<f32, SIZE> {
  const rows = array<array<f32, SIZE>, TILE>(
    array<f32, SIZE>(1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    array<f32, SIZE>(0.0, 1.0, -1.0, 2.0, -2.0, 0.0),
    array<f32, SIZE>(0.0, 1.0, 1.0, 4.0, 4.0, 0.0),
    array<f32, SIZE>(0.0, 1.0, -1.0, 8.0, -8.0, 1.0),
  );
  return rows[min(line, TILE - 1u)];
}
