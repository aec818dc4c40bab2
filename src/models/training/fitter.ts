import { TilesightError } from '../../engine/errors.js';
import type { Tensor } from '../../engine/graph.js';
import type { Plan } from '../../engine/plan.js';
import { ParameterPool, Program, type DeviceTensor } from '../../engine/program.js';
import type { HostTensor, NamedTensors } from '../../engine/tensor.js';
import type { FitContext, FitJob, FittedPosition, Fitter, ModelSetting, TileSource } from '../anomaly-model.js';
import { batchImages } from './batches.js';
import { initialValues } from './network.js';
import { learningRateAt, stopsEarly, totalSteps, type TrainingOptions } from './options.js';
import type { TrainingPlans } from './trained-model.js';

/** Names under which a checkpoint keeps the loss curve and the looks at held-out images. */
const lossesName = 'training.losses';
const heldOutName = 'training.held-out losses';

/** Programs of a training run, with the memory they share. */
interface Programs {
  readonly train: Program;
  readonly evaluate: Program | undefined;
  /** Everything but the frozen network's weights. */
  readonly state: ParameterPool;
}

/**
 * Trains position after position with the same programs. The loss of a step is read back while the device computes the
 * next one; nothing is allocated in a step.
 */
export async function createTrainingFitter(
  model: string,
  plans: TrainingPlans,
  options: TrainingOptions,
  setting: ModelSetting,
  context: FitContext,
): Promise<Fitter> {
  const state = new ParameterPool(context.gpu);
  const created: Program[] = [];
  const destroy = (): void => {
    for (const program of created) program.destroy();
    state.destroy();
  };
  const load = async (plan: Plan): Promise<Program> => {
    const bind = new Map<Tensor, DeviceTensor>();
    for (const tensor of plan.parameters) if (tensor.owner !== 'weights') bind.set(tensor, await state.get(tensor));
    const program = await Program.create(context.gpu, plan, { pool: context.pool, bind, profiler: context.profiler });
    created.push(program);
    return program;
  };
  try {
    const train = await load(plans.plan);
    const evaluate = plans.evaluation && (await load(plans.evaluation.plan));
    const programs = { train, evaluate, state };
    return { fit: (job) => new TrainingRun(model, plans, options, setting, programs, job).run(), destroy };
  } catch (error) {
    destroy();
    throw error;
  }
}

/** A step that was submitted and whose loss has not been read. */
interface Pending {
  readonly step: number;
  readonly images: readonly number[];
}

/** Training of one position. */
class TrainingRun {
  #losses: number[] = [];
  #heldOut: number[] = [];
  #checkpoint: number | undefined;
  readonly #pending: (Pending | undefined)[] = [undefined, undefined];
  readonly #pixels: readonly Uint8Array[];
  readonly #total: number;

  constructor(
    private readonly model: string,
    private readonly plans: TrainingPlans,
    private readonly options: TrainingOptions,
    private readonly setting: ModelSetting,
    private readonly programs: Programs,
    private readonly job: FitJob,
  ) {
    const { batch, tile } = setting;
    this.#pixels = this.#pending.map(() => new Uint8Array(batch * tile.height * tile.width * 3));
    this.#total = totalSteps(options, job.tiles.count, batch);
  }

  async run(): Promise<FittedPosition> {
    const { job, options } = this;
    if (job.tiles.count < 1) throw new TilesightError('input', `there is no training image to fit ${this.model} on`);
    if (options.stop === 'held-out' && (job.heldOut?.count ?? 0) < 1) {
      throw new TilesightError(
        'usage',
        `--${this.model}.stop held-out: no good image is held out, use plateau or a larger validation share`,
      );
    }
    let step = await this.#restore();
    const notes: string[] = [];
    let stopped = this.#shouldStop(step);
    while (step < this.#total && !stopped) {
      job.signal?.throwIfAborted();
      await this.#submit(step);
      await this.#settle((step + 1) % 2);
      step += 1;
      if (this.#looksAt(step)) {
        await this.#settleAll();
        if (options.stop === 'held-out') this.#heldOut.push(await this.#evaluate());
        stopped = this.#shouldStop(step);
      }
      if (options.checkpointSteps > 0 && step % options.checkpointSteps === 0 && step < this.#total) {
        await this.#save(step);
      }
    }
    await this.#settleAll();
    if (stopped) notes.push(`training ended early after ${step} of ${this.#total} steps: the loss no longer fell`);
    return { parameters: await this.#parameters(), losses: this.#losses, notes };
  }

  /** Starts from the last checkpoint, or from the initial values. Gives the next step. */
  async #restore(): Promise<number> {
    const { state } = this.programs;
    const saved = await this.job.checkpoint?.load();
    const wanted = this.#stateNames();
    const losses = saved?.get(lossesName);
    const fits = wanted.every(
      (name) => saved?.get(name)?.data.length === state.known(name)?.tensor.shape.reduce((a, b) => a * b, 1),
    );
    if (saved && losses && fits) {
      for (const name of wanted) {
        const tensor = saved.get(name);
        if (tensor) await state.write(name, tensor);
      }
      this.#losses = [...losses.data];
      this.#heldOut = [...(saved.get(heldOutName)?.data ?? [])];
      this.#checkpoint = this.#losses.length;
      return this.#losses.length;
    }
    for (const declaration of this.plans.declared) {
      await state.write(declaration.name, initialValues(declaration, this.setting.seed));
    }
    for (const { name } of this.plans.step.states) state.clear(name);
    return 0;
  }

  /** Everything that changes from step to step. */
  #stateNames(): string[] {
    return [...this.plans.declared.map(({ name }) => name), ...this.plans.step.states.map(({ name }) => name)];
  }

  async #submit(step: number): Promise<void> {
    const { job, setting, plans, options } = this;
    const slot = step % 2;
    const images = batchImages(step, setting.batch, job.tiles.count, setting.seed);
    const pixels = this.#pixels[slot];
    if (!pixels) throw new Error('no slot');
    await job.tiles.read(images, pixels);
    const { train } = this.programs;
    await train.write(slot, plans.pixels, pixels);
    await train.write(slot, plans.step.rate, Float32Array.of(learningRateAt(options, step, this.#total)));
    train.run(slot);
    this.#pending[slot] = { step, images };
  }

  /** Reads the loss of a slot's step, if there is one, and stops where a value is not finite. */
  async #settle(slot: number): Promise<void> {
    const pending = this.#pending[slot];
    if (!pending) return;
    this.#pending[slot] = undefined;
    const { train } = this.programs;
    const { step, plans } = { step: pending.step, plans: this.plans };
    const [loss = NaN] = await train.read(slot, plans.step.loss);
    const marks = new Uint32Array(await train.read(slot, plans.step.marks));
    const bad = plans.step.trained.filter((_, index) => marks[index] !== 0);
    if (!Number.isFinite(loss) || bad.length > 0) throw this.#nonFinite(pending, loss, bad);
    this.#losses.push(loss);
    this.job.onProgress?.({ stage: 'training', done: step + 1, total: this.#total, loss });
  }

  async #settleAll(): Promise<void> {
    const slots = [0, 1].sort((a, b) => (this.#pending[a]?.step ?? 0) - (this.#pending[b]?.step ?? 0));
    for (const slot of slots) await this.#settle(slot);
  }

  #nonFinite({ step, images }: Pending, loss: number, bad: readonly Tensor[]): TilesightError {
    const names = [...new Set(images)].map((image) => this.job.tiles.imageName(image));
    const shown = names.length > 4 ? `${names.slice(0, 4).join(', ')} and ${names.length - 4} more` : names.join(', ');
    const what = Number.isFinite(loss)
      ? `the gradient of ${bad[0]?.name ?? 'a parameter'}${bad.length > 1 ? ` and of ${bad.length - 1} more` : ''} is`
      : `the loss${bad[0] ? ` and the gradient of ${bad[0].name} are` : ' is'}`;
    const kept = this.#checkpoint === undefined ? '' : `; the checkpoint of step ${this.#checkpoint} is kept`;
    return new TilesightError(
      'numbers',
      `${this.model}, step ${step + 1}: ${what} not finite (images ${shown}): lower --${this.model}.learning-rate${kept}`,
    );
  }

  #looksAt(step: number): boolean {
    return this.options.stop !== 'never' && step % this.options.stopSteps === 0;
  }

  /** Decided from the losses alone, so that a resumed run decides the same. */
  #shouldStop(step: number): boolean {
    const { stop, stopSteps, patience } = this.options;
    if (stop === 'never' || step === 0 || step % stopSteps !== 0) return false;
    if (stop === 'held-out') return stopsEarly(this.#heldOut, patience);
    const looks = Array.from({ length: Math.floor(this.#losses.length / stopSteps) }, (_, look) => {
      const losses = this.#losses.slice(look * stopSteps, (look + 1) * stopSteps);
      return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    });
    return stopsEarly(looks, patience);
  }

  /** Mean loss over the held-out images, in evaluation; the last batch is filled up from the front. */
  async #evaluate(): Promise<number> {
    const { evaluate } = this.programs;
    const { evaluation } = this.plans;
    const heldOut: TileSource | undefined = this.job.heldOut;
    const [pixels] = this.#pixels;
    if (!evaluate || !evaluation || !heldOut || !pixels) throw new Error('nothing to evaluate with');
    const { batch } = this.setting;
    const batches = Math.ceil(heldOut.count / batch);
    let sum = 0;
    for (let index = 0; index < batches; index++) {
      const images = Array.from({ length: batch }, (_, place) => (index * batch + place) % heldOut.count);
      await heldOut.read(images, pixels);
      await evaluate.write(0, evaluation.pixels, pixels);
      evaluate.run(0);
      sum += (await evaluate.read(0, evaluation.loss))[0] ?? NaN;
    }
    return Math.fround(sum / batches);
  }

  /** Saves a checkpoint, once the losses of all steps so far are known to be good. */
  async #save(step: number): Promise<void> {
    const { checkpoint } = this.job;
    if (!checkpoint) return;
    await this.#settleAll();
    const tensors = new Map<string, HostTensor>();
    for (const name of this.#stateNames()) tensors.set(name, await this.#readFinite(name));
    const list = (values: readonly number[]): HostTensor => ({
      shape: [values.length],
      data: Float32Array.from(values),
    });
    tensors.set(lossesName, list(this.#losses));
    if (this.#heldOut.length > 0) tensors.set(heldOutName, list(this.#heldOut));
    await checkpoint.save(tensors);
    this.#checkpoint = step;
  }

  async #parameters(): Promise<NamedTensors> {
    const parameters = new Map<string, HostTensor>();
    for (const { name } of this.plans.declared) parameters.set(name, await this.#readFinite(name));
    return parameters;
  }

  async #readFinite(name: string): Promise<HostTensor> {
    const tensor = await this.programs.state.read(name);
    if (tensor.data.every(Number.isFinite)) return tensor;
    throw new TilesightError(
      'numbers',
      `${this.model}: ${name} is not finite after step ${this.#losses.length}: lower --${this.model}.learning-rate`,
    );
  }
}
