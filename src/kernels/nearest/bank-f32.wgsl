// Four elements of a bank row as they are stored: 32-bit floats.
alias Stored = vec4f;

fn widen(stored: Stored) -> vec4f {
  return stored;
}
