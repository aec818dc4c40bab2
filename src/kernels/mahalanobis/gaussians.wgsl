// What every kernel of the Mahalanobis distance binds: the features of some images, and one Gaussian a position.

struct Params {
  images: u32,
  positions: u32,    // of the features
  dimensions: u32,
  first: u32,        // first position of this run
  count: u32,        // positions of this run
  triangle: u32,     // elements a triangle
  skip: u32,         // words in front of the first position's triangle
}

@group(0) @binding(0) var<storage, read> features: array<f32>;   // [images, positions, dimensions]
@group(0) @binding(1) var<storage, read> mean: array<f32>;       // [positions, dimensions]
@group(0) @binding(2) var<storage, read> factor: array<f32>;     // [count, triangle], packed
@group(0) @binding(3) var<storage, read_write> result: array<f32>;   // [images, positions]
@group(0) @binding(4) var<uniform> params: Params;
