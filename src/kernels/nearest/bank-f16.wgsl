// Four elements of a bank row as they are stored: 16-bit floats, two to a word. Needs no adapter feature.
alias Stored = vec2u;

fn widen(stored: Stored) -> vec4f {
  return vec4f(unpack2x16float(stored.x), unpack2x16float(stored.y));
}
