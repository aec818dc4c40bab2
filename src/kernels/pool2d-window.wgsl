// What a window makes of its values, joined to pool2d-strip.wgsl and pool2d-subgroup.wgsl.

// Pixels along one axis of the window that begins at `first`, by which an average divides.
fn counted(first: i32, size: i32, end: i32) -> i32 {
  if (COUNT_PADDING) { return min(first + i32(KERNEL), end) - first; }
  return min(first + i32(KERNEL), size) - max(first, 0);
}

fn join(a: Value, b: Value) -> Value {
  if (AVERAGE) { return a + b; }
  return max(a, b);
}
