// Four elements of a bank row, or two, as they are stored: 32-bit floats.
alias Stored = vec4f;
alias StoredPair = vec2f;

fn widen(stored: Stored) -> vec4f {
  return stored;
}

fn widen_pair(stored: StoredPair) -> vec2f {
  return stored;
}
