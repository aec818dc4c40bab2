import type { Conv2dOptions } from '../../src/kernels/conv2d/shape.js';
import { elementCount, type Shape } from '../../src/engine/tensor.js';
import type { Array64 } from './array64.js';
import { convolution64, convolutionInputGradient64, convolutionWeightGradient64 } from './convolution.js';

/** A value of the f64 reference, with the gradient of the loss once {@link Tape.backward} has run. */
export interface Variable extends Array64 {
  readonly gradient: Float64Array;
}

/**
 * Reverse-mode differentiation in f64, written apart from the engine: operators compute at once and remember how gradients
 * flow back. The oracle of whole training steps.
 */
export class Tape {
  readonly #back: (() => void)[] = [];

  /**
   * @param store what a number becomes when it is kept; `Math.fround` shows how far the least rounding that f32 can have
   *   (of every stored value and gradient, with exact arithmetic between) moves a result.
   */
  constructor(private readonly store: (value: number) => number = (value) => value) {}

  /** A leaf. */
  variable({ shape, data }: { readonly shape: Shape; readonly data: ArrayLike<number> }): Variable {
    return { shape, data: Float64Array.from(data), gradient: new Float64Array(elementCount(shape)) };
  }

  /** Fills the gradients of everything that the one-element `loss` was computed from. */
  backward(loss: Variable): void {
    loss.gradient[0] = 1;
    for (const step of this.#back.reverse()) step();
  }

  #node(value: Array64, back: (made: Variable) => void): Variable {
    const made = this.variable({ shape: value.shape, data: value.data.map(this.store) });
    this.#back.push(() => {
      made.gradient.forEach((gradient, index) => (made.gradient[index] = this.store(gradient)));
      back(made);
    });
    return made;
  }

  /** Element by element: the value, and its derivative from input and value. */
  map(x: Variable, f: (x: number) => number, derivative: (x: number, y: number) => number): Variable {
    return this.#node({ shape: x.shape, data: x.data.map(f) }, (made) => {
      made.gradient.forEach((g, i) => accumulate(x, i, g * derivative(at(x.data, i), at(made.data, i))));
    });
  }

  relu(x: Variable): Variable {
    return this.map(
      x,
      (v) => Math.max(v, 0),
      (v) => (v > 0 ? 1 : 0),
    );
  }

  scale(x: Variable, factor: number): Variable {
    return this.map(
      x,
      (v) => v * factor,
      () => factor,
    );
  }

  /** Sum of `x` and `y`; `y` repeats where it is shorter (a bias a channel). */
  add(x: Variable, y: Variable): Variable {
    const length = y.data.length;
    return this.#node({ shape: x.shape, data: x.data.map((v, i) => v + at(y.data, i % length)) }, (made) => {
      made.gradient.forEach((g, i) => {
        accumulate(x, i, g);
        accumulate(y, i % length, g);
      });
    });
  }

  /** Product of `x` and `y`; `y` repeats where it is shorter (a factor a channel). */
  multiply(x: Variable, y: Variable): Variable {
    const length = y.data.length;
    return this.#node({ shape: x.shape, data: x.data.map((v, i) => v * at(y.data, i % length)) }, (made) => {
      made.gradient.forEach((g, i) => {
        accumulate(x, i, g * at(y.data, i % length));
        accumulate(y, i % length, g * at(x.data, i));
      });
    });
  }

  sum(x: Variable): Variable {
    return this.#node({ shape: [1], data: Float64Array.of(x.data.reduce((a, b) => a + b, 0)) }, (made) => {
      x.data.forEach((_, i) => accumulate(x, i, at(made.gradient, 0)));
    });
  }

  /** Elements of `x` by their places; gradients go back to where they came from. */
  gather(x: Variable, shape: Shape, place: (index: number) => number): Variable {
    const data = Float64Array.from({ length: elementCount(shape) }, (_, i) => at(x.data, place(i)));
    return this.#node({ shape, data }, (made) => made.gradient.forEach((g, i) => accumulate(x, place(i), g)));
  }

  /** Channels (last axis) in the given order. */
  channels(x: Variable, order: readonly number[]): Variable {
    const width = x.shape.at(-1) ?? 1;
    const shape = x.shape.with(-1, order.length);
    return this.gather(x, shape, (i) => Math.floor(i / order.length) * width + (order[i % order.length] ?? 0));
  }

  /** Side by side along the last axis. */
  concat(parts: readonly Variable[]): Variable {
    const widths = parts.map((part) => part.shape.at(-1) ?? 1);
    const total = widths.reduce((a, b) => a + b, 0);
    const shape = (parts[0]?.shape ?? []).with(-1, total);
    const made = this.variable({ shape, data: new Float64Array(elementCount(shape)) });
    const each = (visit: (part: Variable, from: number, to: number) => void): void => {
      let first = 0;
      parts.forEach((part, index) => {
        const width = widths[index] ?? 1;
        part.data.forEach((_, i) => visit(part, i, Math.floor(i / width) * total + first + (i % width)));
        first += width;
      });
    };
    each((part, from, to) => (made.data[to] = at(part.data, from)));
    this.#back.push(() => each((part, from, to) => accumulate(part, from, at(made.gradient, to))));
    return made;
  }

  convolution(x: Variable, w: Variable, options: Conv2dOptions): Variable {
    return this.#node(convolution64(x, w, options), (made) => {
      const g = { shape: made.shape, data: made.gradient };
      convolutionInputGradient64(x.shape, w, g, options).data.forEach((v, i) => accumulate(x, i, v));
      convolutionWeightGradient64(x, w.shape, g, options).data.forEach((v, i) => accumulate(w, i, v));
    });
  }

  /** Transposed 2×2 convolution of stride 2, weight [2, 2, out, in]. */
  upsample(x: Variable, w: Variable): Variable {
    const [batch = 1, height = 1, width = 1] = x.shape;
    const shape = [batch, 2 * height, 2 * width, w.shape[2] ?? 1];
    return this.#node(convolutionInputGradient64(shape, w, x, { stride: 2 }), (made) => {
      const g = { shape: made.shape, data: made.gradient };
      convolution64(g, w, { stride: 2 }).data.forEach((v, i) => accumulate(x, i, v));
      convolutionWeightGradient64(g, w.shape, x, { stride: 2 }).data.forEach((v, i) => accumulate(w, i, v));
    });
  }

  /** 3×3 maximum of stride 2 with one pixel of padding. */
  maxPool(x: Variable): Variable {
    const [batch = 1, height = 1, width = 1, channels = 1] = x.shape;
    const [outHeight, outWidth] = [Math.ceil(height / 2), Math.ceil(width / 2)];
    const shape = [batch, outHeight, outWidth, channels];
    const winners = Array.from({ length: elementCount(shape) }, (_, i) => {
      const c = i % channels;
      const ox = Math.floor(i / channels) % outWidth;
      const oy = Math.floor(i / channels / outWidth) % outHeight;
      const b = Math.floor(i / channels / outWidth / outHeight);
      let best = -1;
      for (let y = Math.max(0, 2 * oy - 1); y <= Math.min(height - 1, 2 * oy + 1); y++) {
        for (let xx = Math.max(0, 2 * ox - 1); xx <= Math.min(width - 1, 2 * ox + 1); xx++) {
          const place = ((b * height + y) * width + xx) * channels + c;
          if (best < 0 || at(x.data, place) > at(x.data, best)) best = place;
        }
      }
      return best;
    });
    return this.gather(x, shape, (i) => winners[i] ?? 0);
  }

  /** To mean 0 and variance 1 in each group of elements. */
  standardize(x: Variable, groupOf: (index: number) => number, epsilon = 1e-5): Variable {
    const groups: number[][] = [];
    x.data.forEach((_, i) => (groups[groupOf(i)] ??= []).push(i));
    const data = new Float64Array(x.data.length);
    const deviations = groups.map((group) => {
      const mean = group.reduce((sum, i) => sum + at(x.data, i), 0) / group.length;
      const variance = group.reduce((sum, i) => sum + (at(x.data, i) - mean) ** 2, 0) / group.length;
      const deviation = Math.sqrt(variance + epsilon);
      for (const i of group) data[i] = (at(x.data, i) - mean) / deviation;
      return deviation;
    });
    return this.#node({ shape: x.shape, data }, (made) => {
      groups.forEach((group, index) => {
        const mean = group.reduce((sum, i) => sum + at(made.gradient, i), 0) / group.length;
        const along = group.reduce((sum, i) => sum + at(made.gradient, i) * at(data, i), 0) / group.length;
        for (const i of group) {
          accumulate(x, i, (at(made.gradient, i) - mean - at(data, i) * along) / (deviations[index] ?? NaN));
        }
      });
    });
  }

  batchNorm(x: Variable, weight: Variable, bias: Variable): Variable {
    const channels = weight.data.length;
    return this.add(
      this.multiply(
        this.standardize(x, (i) => i % channels),
        weight,
      ),
      bias,
    );
  }

  layerNorm(x: Variable, weight: Variable, bias: Variable): Variable {
    const length = weight.data.length;
    return this.add(
      this.multiply(
        this.standardize(x, (i) => Math.floor(i / length)),
        weight,
      ),
      bias,
    );
  }

  /** Rows of `length` elements to length 1. */
  normalizeRows(x: Variable, length: number): Variable {
    const norm = (row: number): number =>
      Math.max(1e-12, Math.hypot(...x.data.subarray(row * length, (row + 1) * length)));
    const norms = Array.from({ length: x.data.length / length }, (_, row) => norm(row));
    const data = x.data.map((v, i) => v / (norms[Math.floor(i / length)] ?? NaN));
    return this.#node({ shape: x.shape, data }, (made) => {
      norms.forEach((size, row) => {
        let along = 0;
        for (let i = row * length; i < (row + 1) * length; i++) along += at(made.gradient, i) * at(data, i);
        for (let i = row * length; i < (row + 1) * length; i++) {
          accumulate(x, i, (at(made.gradient, i) - at(data, i) * along) / size);
        }
      });
    });
  }
}

function at(values: Float64Array, index: number): number {
  return values[index] ?? NaN;
}

function accumulate(variable: Variable, index: number, value: number): void {
  variable.gradient[index] = (variable.gradient[index] ?? 0) + value;
}
