// What the adapter's arithmetic can do at most: thread t runs twelve independent chains of multiply-adds, eight deep per
// turn of the loop, and touches memory once at its end. Twelve chains hide the latency of each, and the unrolling keeps the
// loop's own instructions out of the figure.

struct Params {
  turns: u32,
  factor: f32,
  summand: f32,
}

@group(0) @binding(0) var<storage, read_write> result: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let m = params.factor;
  let s = params.summand;
  var a = f32(index); var b = a + 1.0; var c = a + 2.0; var d = a + 3.0;
  var e = a + 4.0; var f = a + 5.0; var g = a + 6.0; var h = a + 7.0;
  var i = a + 8.0; var j = a + 9.0; var k = a + 10.0; var l = a + 11.0;
  for (var turn = 0u; turn < params.turns; turn++) {
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s); e = fma(e, m, s); f = fma(f, m, s);
    g = fma(g, m, s); h = fma(h, m, s); i = fma(i, m, s); j = fma(j, m, s); k = fma(k, m, s); l = fma(l, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s); e = fma(e, m, s); f = fma(f, m, s);
    g = fma(g, m, s); h = fma(h, m, s); i = fma(i, m, s); j = fma(j, m, s); k = fma(k, m, s); l = fma(l, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s); e = fma(e, m, s); f = fma(f, m, s);
    g = fma(g, m, s); h = fma(h, m, s); i = fma(i, m, s); j = fma(j, m, s); k = fma(k, m, s); l = fma(l, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s); e = fma(e, m, s); f = fma(f, m, s);
    g = fma(g, m, s); h = fma(h, m, s); i = fma(i, m, s); j = fma(j, m, s); k = fma(k, m, s); l = fma(l, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s); e = fma(e, m, s); f = fma(f, m, s);
    g = fma(g, m, s); h = fma(h, m, s); i = fma(i, m, s); j = fma(j, m, s); k = fma(k, m, s); l = fma(l, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s); e = fma(e, m, s); f = fma(f, m, s);
    g = fma(g, m, s); h = fma(h, m, s); i = fma(i, m, s); j = fma(j, m, s); k = fma(k, m, s); l = fma(l, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s); e = fma(e, m, s); f = fma(f, m, s);
    g = fma(g, m, s); h = fma(h, m, s); i = fma(i, m, s); j = fma(j, m, s); k = fma(k, m, s); l = fma(l, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s); e = fma(e, m, s); f = fma(f, m, s);
    g = fma(g, m, s); h = fma(h, m, s); i = fma(i, m, s); j = fma(j, m, s); k = fma(k, m, s); l = fma(l, m, s);
  }
  result[index] = a + b + c + d + e + f + g + h + i + j + k + l;
}
