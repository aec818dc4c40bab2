// Adds the squared differences of four points to one vector of a centre, element after element: in this order everywhere, so
// that all variants give the same distances.

fn squares(sum: vec4f, centre: vec4f, p0: vec4f, p1: vec4f, p2: vec4f, p3: vec4f) -> vec4f {
  let x = vec4f(p0.x, p1.x, p2.x, p3.x) - centre.x;
  let y = vec4f(p0.y, p1.y, p2.y, p3.y) - centre.y;
  let z = vec4f(p0.z, p1.z, p2.z, p3.z) - centre.z;
  let w = vec4f(p0.w, p1.w, p2.w, p3.w) - centre.w;
  return fma(w, w, fma(z, z, fma(y, y, fma(x, x, sum))));
}
