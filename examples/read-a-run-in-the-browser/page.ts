/**
 * Opens a trained run over HTTP and looks for defects in a photograph that the user picks, all in the page: the photograph
 * goes nowhere.
 *
 * In a project of your own, write `from 'tilesight'` in place of `from '../../src/index.js'`.
 */
import {
  createBrowserImages,
  createGpu,
  fetchStorage,
  heatOverlay,
  heatScale,
  openEnsemble,
  type Prediction,
  type TiledEnsemble,
} from '../../src/index.js';

const file = element('file', HTMLInputElement);
const status = element('status', HTMLParagraphElement);
const canvas = element('heat', HTMLCanvasElement);
const images = createBrowserImages();

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`no #${id}`);
  return found;
}

/** Opens the run beside the page with the weights of its backbone. */
async function open(): Promise<TiledEnsemble> {
  // Undefined where the browser has no WebGPU, whatever the types say.
  const api = navigator.gpu as GPU | undefined;
  if (!api) throw new Error('this browser has no WebGPU: use a current Chrome, Edge, Firefox or Safari');
  const weights = await fetch('weights.safetensors');
  if (!weights.ok) throw new Error(`weights.safetensors: status ${weights.status}`);
  return openEnsemble({
    gpu: await createGpu(api),
    storage: fetchStorage('run'),
    weights: new Uint8Array(await weights.arrayBuffer()),
  });
}

/** Predicts one photograph and draws the heat map over it. */
async function predict(ensemble: TiledEnsemble, photograph: Blob): Promise<Prediction> {
  const image = await images.decodeImage(photograph, ensemble.run.configuration.imageSize);
  const prediction = await ensemble.predict(image);
  const { height, width, data } = heatOverlay(image, prediction.map, heatScale(ensemble));
  const pixels = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    pixels.data.set([data[3 * i] ?? 0, data[3 * i + 1] ?? 0, data[3 * i + 2] ?? 0, 255], 4 * i);
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d')?.putImageData(pixels, 0, 0);
  return prediction;
}

function fail(error: unknown): void {
  status.textContent = error instanceof Error ? error.message : String(error);
}

try {
  const ensemble = await open();
  status.textContent = 'Pick a photograph.';
  file.disabled = false;
  file.addEventListener('change', () => {
    const [picked] = file.files ?? [];
    if (!picked) return;
    status.textContent = 'Computing …';
    file.disabled = true;
    predict(ensemble, picked)
      .then(({ score, anomalous, boxes, rawMap, rawScores }) => {
        const what = anomalous ? `anomalous, ${boxes.length} ${boxes.length === 1 ? 'region' : 'regions'}` : 'good';
        status.textContent = `Score ${score.toFixed(3)}: ${what}`;
        // The numbers before normalisation, for whoever wants them.
        const detail = { score: rawScores.maximum, map: Array.from(rawMap.data) };
        document.dispatchEvent(new CustomEvent('predicted', { detail }));
      }, fail)
      .finally(() => (file.disabled = false));
  });
} catch (error) {
  fail(error);
}
