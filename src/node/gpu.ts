import { createGpu, type Gpu, type GpuOptions } from '../engine/gpu.js';
import { type ApiOptions, noticeOnStandardError, openApi } from './adapter.js';
import { restBetweenPolls } from './polling.js';

/** Options of {@link openGpu}: those of the device and those of finding an adapter. */
export type OpenGpuOptions = GpuOptions & ApiOptions;

let advised = false;

/**
 * Opens a device in Node: the system's adapter, else the embedded one, which computes on the CPU. Says so in one line, once.
 *
 * @throws TilesightError `device` when there is no adapter, in one line that says what to install.
 */
export async function openGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  const { api, advice } = await openApi(options);
  if (advice !== undefined && !advised) (options.onNotice ?? noticeOnStandardError)(advice);
  advised ||= advice !== undefined;
  return createGpu(api, { onWait: restBetweenPolls(), ...options });
}
