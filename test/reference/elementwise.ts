/** The operations of one operand with their derivatives, in f64. `a` is the operation's constant. */
export const unaryOperations: Readonly<
  Record<
    string,
    { readonly f: (x: number, a: number) => number; readonly derivative: (x: number, a: number) => number }
  >
> = {
  relu: { f: (x) => Math.max(x, 0), derivative: (x) => (x > 0 ? 1 : 0) },
  relu6: { f: (x) => Math.min(Math.max(x, 0), 6), derivative: (x) => (x > 0 && x < 6 ? 1 : 0) },
  tanh: { f: Math.tanh, derivative: (x) => 1 - Math.tanh(x) ** 2 },
  exp: { f: Math.exp, derivative: Math.exp },
  log: { f: Math.log, derivative: (x) => 1 / x },
  softplus: {
    f: (x, a) => (Math.max(a * x, 0) + Math.log1p(Math.exp(-Math.abs(a * x)))) / a,
    derivative: (x, a) => 1 / (1 + Math.exp(-a * x)),
  },
  sigmoid: {
    f: (x) => 1 / (1 + Math.exp(-x)),
    derivative: (x) => Math.exp(-Math.abs(x)) / (1 + Math.exp(-Math.abs(x))) ** 2,
  },
  sqrt: { f: Math.sqrt, derivative: (x) => 0.5 / Math.sqrt(x) },
  square: { f: (x) => x * x, derivative: (x) => 2 * x },
  abs: { f: Math.abs, derivative: Math.sign },
  clampMin: { f: (x, a) => Math.max(x, a), derivative: (x, a) => (x >= a ? 1 : 0) },
};
