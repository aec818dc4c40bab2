// What follows the sum in the store of a convolution or matrix product: bias, then residual, then activation.
// Joined to a kernel's text; the kernel's Params carry has_bias, has_residual and activation (0 none, 1 ReLU, 2 ReLU6).
// The three are parameters and not constants, so that layers with and without them share one compiled kernel: the
// branches are uniform and cost nothing beside the sum. Element is f32 or vec4f, as the kernel stores.

alias Element = f32;

// Without it a kernel is a fifth smaller; for those that hardly ever get one.
const TAKES_RESIDUAL: bool = true;

@group(0) @binding(2) var<storage, read> bias: array<Element>;
@group(0) @binding(3) var<storage, read> residual: array<Element>;

// What is added to all sums of a channel. Apart from the rest, so that a thread with several sums of one channel reads it once.
fn bias_of(channel: u32) -> Element {
  var value = Element(0.0);
  if (params.has_bias != 0u) { value = bias[channel]; }
  return value;
}

// sum: of one output; shift: its channel's bias; index: into residual, which lies as the output does.
fn finish(sum: Element, shift: Element, index: u32) -> Element {
  var value = sum + shift;
  if (TAKES_RESIDUAL && params.has_residual != 0u) { value += residual[index]; }
  let rectified = max(value, Element(0.0));
  value = select(value, rectified, params.activation != 0u);
  return select(value, min(rectified, Element(6.0)), params.activation == 2u);
}
