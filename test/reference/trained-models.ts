import type { HostTensor, NamedTensors } from '../../src/engine/tensor.js';
import { Tape, type Variable } from './autodiff.js';

/** A loss and the parameters it was computed from, with their gradients. */
export interface ReferenceLoss {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float64Array>;
}

/** Looks up parameters by name as variables of a tape. */
class Parameters {
  readonly used = new Map<string, Variable>();
  constructor(
    readonly tape: Tape,
    private readonly tensors: NamedTensors,
  ) {}
  get(name: string): Variable {
    const known = this.used.get(name);
    if (known) return known;
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`no parameter ${name}`);
    const variable = this.tape.variable(tensor);
    this.used.set(name, variable);
    return variable;
  }
}

function finish(tape: Tape, parameters: Parameters, loss: Variable): ReferenceLoss {
  tape.backward(loss);
  const gradients = new Map([...parameters.used].map(([name, variable]) => [name, variable.gradient]));
  return { loss: loss.data[0] ?? NaN, gradients };
}

const range = (first: number, end: number): number[] => Array.from({ length: end - first }, (_, i) => first + i);

/** One step of a flow on joined channels: the new channels and the logarithm of the determinant. */
function flowStep(
  tape: Tape,
  get: (name: string) => Variable,
  x: Variable,
  order: readonly number[],
  kernel: number,
): { y: Variable; logDeterminant: Variable } {
  const [batch = 1, height = 1, width = 1, channels = 2] = x.shape;
  const second = channels >> 1;
  const first = channels - second;
  const padding = (kernel - 1) / 2;
  const [a, b] = [tape.channels(x, range(0, first)), tape.channels(x, range(first, channels))];
  const hidden = tape.relu(tape.add(tape.convolution(a, get('conv1.weight'), { padding }), get('conv1.bias')));
  const said = tape.scale(tape.add(tape.convolution(hidden, get('conv2.weight'), { padding }), get('conv2.bias')), 0.1);
  const s = tape.map(
    tape.channels(said, range(0, second)),
    (v) => 2 * Math.tanh(v),
    (v) => 2 * (1 - Math.tanh(v) ** 2),
  );
  const stretched = tape.multiply(
    b,
    tape.map(s, Math.exp, (_, y) => y),
  );
  const moved = tape.add(stretched, tape.channels(said, range(second, 2 * second)));
  const scale = tape.map(
    get('gain'),
    (v) => (0.1 * Math.log(1 + Math.exp(0.5 * v))) / 0.5,
    (v) => 0.1 / (1 + Math.exp(-0.5 * v)),
  );
  const whole = tape.add(tape.multiply(tape.concat([a, moved]), scale), get('shift'));
  const logScale = tape.sum(tape.map(scale, Math.log, (v) => 1 / v));
  const logDeterminant = tape.add(tape.sum(s), tape.scale(logScale, batch * height * width));
  return { y: tape.channels(whole, order), logDeterminant };
}

/** A flow of several steps. `order(step)` is the permutation of a step. */
export function flow64(
  tape: Tape,
  get: (name: string) => Variable,
  x: Variable,
  steps: number,
  order: (step: number) => readonly number[],
  kernel: (step: number) => number,
): { z: Variable; logDeterminant: Variable } {
  let z = x;
  let logDeterminant = tape.variable({ shape: [1], data: [0] });
  for (let step = 0; step < steps; step++) {
    const result = flowStep(tape, (name) => get(`step${step}.${name}`), z, order(step), kernel(step));
    z = result.y;
    logDeterminant = tape.add(logDeterminant, result.logDeterminant);
  }
  return { z, logDeterminant };
}

/** FastFlow's loss on the features of a batch. */
export function fastflowLoss64(
  tensors: NamedTensors,
  features: readonly HostTensor[],
  steps: number,
  order: (layer: string, step: number) => readonly number[],
  kernel: (step: number) => number,
  tape = new Tape(),
): ReferenceLoss {
  const parameters = new Parameters(tape, tensors);
  let loss: Variable | undefined;
  features.forEach((feature, index) => {
    const layer = `layer${index + 1}`;
    const get = (name: string): Variable => parameters.get(`${layer}.${name}`);
    const x = tape.layerNorm(tape.variable(feature), get('norm.weight'), get('norm.bias'));
    const { z, logDeterminant } = flow64(tape, get, x, steps, (step) => order(layer, step), kernel);
    const batch = feature.shape[0] ?? 1;
    const squares = tape.sum(
      tape.map(
        z,
        (v) => v * v,
        (v) => 2 * v,
      ),
    );
    const own = tape.add(tape.scale(squares, 0.5 / batch), tape.scale(logDeterminant, -1 / batch));
    loss = loss ? tape.add(loss, own) : own;
  });
  if (!loss) throw new Error('no features');
  return finish(tape, parameters, loss);
}

function convolutionNorm(
  tape: Tape,
  p: Parameters,
  x: Variable,
  name: string,
  kernel: number,
  stride: number,
): Variable {
  const options = { stride, padding: (kernel - 1) / 2 };
  return norm(tape, p, tape.convolution(x, p.get(`${name}.conv.weight`), options), name);
}

function norm(tape: Tape, p: Parameters, x: Variable, name: string): Variable {
  return tape.batchNorm(x, p.get(`${name}.norm.weight`), p.get(`${name}.norm.bias`));
}

type Scale = 'keep' | 'halve' | 'double';

/** The residual block of two 3×3 convolutions. */
function basicBlock(tape: Tape, p: Parameters, x: Variable, name: string, scale: Scale): Variable {
  const up = (part: string): Variable => norm(tape, p, tape.upsample(x, p.get(`${part}.conv.weight`)), part);
  const stride = scale === 'halve' ? 2 : 1;
  const first = scale === 'double' ? up(`${name}.1`) : convolutionNorm(tape, p, x, `${name}.1`, 3, stride);
  const inner = convolutionNorm(tape, p, tape.relu(first), `${name}.2`, 3, 1);
  const shortcut =
    scale === 'double'
      ? up(`${name}.shortcut`)
      : scale === 'halve'
        ? convolutionNorm(tape, p, x, `${name}.shortcut`, 1, 2)
        : x;
  return tape.relu(tape.add(inner, shortcut));
}

/** The residual block of 1×1, 3×3 and 1×1 convolutions. */
function bottleneckBlock(tape: Tape, p: Parameters, x: Variable, name: string, scale: Scale): Variable {
  const up = (input: Variable, part: string): Variable =>
    norm(tape, p, tape.upsample(input, p.get(`${part}.conv.weight`)), part);
  const stride = scale === 'halve' ? 2 : 1;
  const inner = tape.relu(convolutionNorm(tape, p, x, `${name}.1`, 1, 1));
  const scaled = scale === 'double' ? up(inner, `${name}.2`) : convolutionNorm(tape, p, inner, `${name}.2`, 3, stride);
  const out = convolutionNorm(tape, p, tape.relu(scaled), `${name}.3`, 1, 1);
  const changes = scale !== 'keep' || out.shape.at(-1) !== x.shape.at(-1);
  const shortcut =
    scale === 'double'
      ? up(x, `${name}.shortcut`)
      : changes
        ? convolutionNorm(tape, p, x, `${name}.shortcut`, 1, stride)
        : x;
  return tape.relu(tape.add(out, shortcut));
}

/** What a ResNet's kind of block and numbers of blocks are. */
export interface ReferenceFamily {
  readonly bottleneck: boolean;
  readonly blocks: readonly [number, number, number];
}

/** STFPM's loss: `features` are the image and the teacher's layers. */
export function stfpmLoss64(
  tensors: NamedTensors,
  features: readonly HostTensor[],
  { bottleneck, blocks }: ReferenceFamily,
  tape = new Tape(),
): ReferenceLoss {
  const p = new Parameters(tape, tensors);
  const block = bottleneck ? bottleneckBlock : basicBlock;
  const [image, ...teacher] = features.map((feature) => tape.variable(feature));
  if (!image) throw new Error('no image');
  let x = tape.maxPool(tape.relu(convolutionNorm(tape, p, image, 'stem', 7, 2)));
  let loss: Variable | undefined;
  teacher.forEach((taught, index) => {
    for (let number = 0; number < (blocks[index] ?? 0); number++) {
      x = block(tape, p, x, `layer${index + 1}.${number}`, index > 0 && number === 0 ? 'halve' : 'keep');
    }
    const [, height = 1, width = 1, channels = 1] = taught.shape;
    const difference = tape.add(tape.normalizeRows(x, channels), tape.scale(tape.normalizeRows(taught, channels), -1));
    const own = tape.scale(tape.sum(tape.multiply(difference, difference)), 0.5 / (height * width));
    loss = loss ? tape.add(loss, own) : own;
  });
  if (!loss) throw new Error('no layers');
  return finish(tape, p, loss);
}

/** Reverse Distillation's loss, one cosine a pixel or one an image. */
export function reverseDistillationLoss64(
  tensors: NamedTensors,
  features: readonly HostTensor[],
  { bottleneck, blocks }: ReferenceFamily,
  kind: 'pixel' | 'image',
  tape = new Tape(),
): ReferenceLoss {
  const p = new Parameters(tape, tensors);
  const block = bottleneck ? bottleneckBlock : basicBlock;
  const teacher = features.map((feature) => tape.variable(feature));
  const [shallow, middle, deep] = teacher;
  if (!shallow || !middle || !deep) throw new Error('three layers');
  const halve = (x: Variable, name: string): Variable =>
    tape.relu(convolutionNorm(tape, p, x, `bottleneck.${name}`, 3, 2));
  let x = tape.concat([halve(halve(shallow, 'shallow1'), 'shallow2'), halve(middle, 'middle'), deep]);
  for (let number = 0; number < (bottleneck ? 3 : 2); number++) {
    x = block(tape, p, x, `bottleneck.${number}`, number === 0 ? 'halve' : 'keep');
  }
  let loss: Variable | undefined;
  for (const stage of [0, 1, 2]) {
    for (let number = 0; number < (blocks[stage] ?? 0); number++) {
      x = block(tape, p, x, `decoder.${stage}.${number}`, number === 0 ? 'double' : 'keep');
    }
    const taught = teacher[2 - stage];
    if (!taught) throw new Error('three layers');
    const [batch = 1, , , channels = 1] = taught.shape;
    const length = kind === 'pixel' ? channels : taught.data.length / batch;
    const rows = taught.data.length / length;
    const cosines = tape.sum(tape.multiply(tape.normalizeRows(x, length), tape.normalizeRows(taught, length)));
    const own = tape.add(tape.scale(cosines, -1 / rows), tape.variable({ shape: [1], data: [1] }));
    loss = loss ? tape.add(loss, own) : own;
  }
  if (!loss) throw new Error('no stages');
  return finish(tape, p, loss);
}
