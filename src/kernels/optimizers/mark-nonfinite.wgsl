// Marks a tensor that holds a value which is not finite. The bits are tested, since WGSL may assume that NaN does not
// exist. Joined to the text of an optimiser, whose Params carry count and mark.

fn mark_nonfinite(value: vec4f, index: u32) {
  let bits = bitcast<vec4u>(value) & vec4u(0x7f800000u);
  // The last vector may reach into the padding behind the tensor, which holds anything.
  let inside = vec4u(index * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(params.count);
  if (any((bits == vec4u(0x7f800000u)) & inside)) { atomicStore(&marks[params.mark], 1u); }
}
