import * as v from 'valibot';
import { TilesightError } from '../../engine/errors.js';
import type { HostTensor, NamedTensors } from '../../engine/tensor.js';
import { checkedElementCount, describe } from './elements.js';

/** The weights of a TensorFlow.js model. Source: tfjs-core, io/types.ts (`WeightsManifestConfig`) and io/io_utils.ts (`decodeWeights`). */

const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const modelSchema = v.object({
  weightsManifest: v.array(
    v.object({
      weights: v.array(
        v.object({
          name: v.string(),
          shape: v.array(size),
          dtype: v.string(),
          quantization: v.optional(
            v.object({ dtype: v.string(), min: v.optional(v.number()), scale: v.optional(v.number()) }),
          ),
        }),
      ),
    }),
  ),
});

/**
 * The tensors of a model under their names in it: 32-bit floats, or 8-bit and 16-bit values that stand for `value * scale + min`.
 *
 * @param model the content of `model.json`.
 * @param bytes all weight files of the model, joined in the manifest's order.
 * @throws TilesightError `input` where the two do not fit together; `where` names the model.
 */
export function decodeTfjsWeights(model: unknown, bytes: Uint8Array, where: string): NamedTensors {
  const parsed = v.safeParse(modelSchema, model);
  if (!parsed.success) {
    const place = v.getDotPath(parsed.issues[0]) ?? 'its top';
    throw new TilesightError('input', `${where}: no TensorFlow.js model (wrong at ${place}); fetch it again`);
  }
  const tensors = new Map<string, HostTensor>();
  let position = 0;
  for (const { name, shape, dtype, quantization } of parsed.output.weightsManifest.flatMap((group) => group.weights)) {
    const place = `${where}: weight ${describe(name)}`;
    const stored = quantization?.dtype ?? dtype;
    const elementSize = stored === 'uint8' ? 1 : stored === 'uint16' ? 2 : stored === 'float32' ? 4 : 0;
    if (dtype !== 'float32' || elementSize === 0) {
      throw new TilesightError(
        'input',
        `${place}: element type ${describe(stored)} is not supported; use float32 or uint8`,
      );
    }
    const count = checkedElementCount(shape, place);
    const end = position + count * elementSize;
    if (end > bytes.byteLength) throw wrongSize(place, `ends at byte ${end} of ${bytes.byteLength}`);
    const { min = 0, scale = 1 } = quantization ?? {};
    const view = new DataView(bytes.buffer, bytes.byteOffset + position, end - position);
    const data = new Float32Array(count);
    if (elementSize === 1) for (let i = 0; i < count; i++) data[i] = view.getUint8(i) * scale + min;
    else if (elementSize === 2) for (let i = 0; i < count; i++) data[i] = view.getUint16(2 * i, true) * scale + min;
    else for (let i = 0; i < count; i++) data[i] = view.getFloat32(4 * i, true);
    tensors.set(name, { shape, data });
    position = end;
  }
  if (position !== bytes.byteLength) throw wrongSize(where, `needs ${position} bytes of ${bytes.byteLength}`);
  return tensors;
}

function wrongSize(where: string, what: string): TilesightError {
  return new TilesightError('input', `${where}: ${what}; fetch the weights again`);
}
