// The work of kernels whose workgroups are one subgroup, as `subgroupStrips` in strips.ts divides it: strips of SUBGROUP
// output columns of one Value and up to `lines` output lines, neighbouring channels after each other, `share` strips a workgroup.
// Joined to a kernel's text; its Params carry count, share, strips_x, strips_y, lines and channels.

struct Strip {
  channel: u32, // in Values
  x: u32,       // first output column
  y: u32,       // first output line
  lines: u32,
  image: u32,
}

fn strip_of(index: u32, out_height: u32) -> Strip {
  let column = index / params.channels;
  let line = column / params.strips_x;
  var strip: Strip;
  strip.channel = index - column * params.channels;
  strip.x = (column - line * params.strips_x) * SUBGROUP;
  strip.image = line / params.strips_y;
  strip.y = (line - strip.image * params.strips_y) * params.lines;
  strip.lines = min(params.lines, out_height - strip.y);
  return strip;
}
