import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { classifyAdapter } from '../engine/adapter.js';
import { TilesightError } from '../engine/errors.js';
import { embeddedAdapterObstacle, loadEmbeddedAdapter } from './embedded-adapter.js';
import { examineVulkan, type VulkanFault } from './vulkan.js';

/** Where the adapter comes from. `auto`: the system's, else the embedded one. */
export type AdapterChoice = 'auto' | 'system' | 'embedded';

/** How to find an adapter. */
export interface ApiOptions {
  /** Default: what `TILESIGHT_ADAPTER` says, else `auto`. */
  readonly adapter?: AdapterChoice;
  /** Switches for Dawn, e.g. `enable-dawn-features=allow_unsafe_apis` or `backend=vulkan`. Default: `TILESIGHT_DAWN_FLAGS`. */
  readonly dawnFlags?: readonly string[];
  readonly powerPreference?: GPUPowerPreference;
  /** Told in one line each what the user should know: a download, a software adapter. Default: standard error. */
  readonly onNotice?: (line: string) => void;
}

/** WebGPU's entry point with at least one adapter behind it. */
export interface OpenedApi {
  readonly api: GPU;
  readonly source: 'system' | 'embedded';
  readonly info: GPUAdapterInfo;
  /** Where the adapter computes on the CPU: that it does, why, and what would be faster, in one line. */
  readonly advice: string | undefined;
}

/** Dawn rounds timestamps to 65 µs unless told not to. */
const standardFeature = 'timestamp_quantization';

/** Merges the user's switches with ours; Dawn reads one list of switched-off features. */
export function dawnFlagList(flags: readonly string[] = []): string[] {
  const prefix = 'disable-dawn-features=';
  const off = flags.filter((flag) => flag.startsWith(prefix)).flatMap((flag) => flag.slice(prefix.length).split(','));
  const others = flags.filter((flag) => !flag.startsWith(prefix));
  return [`${prefix}${[...new Set([standardFeature, ...off])].join(',')}`, ...others];
}

/** Switches in `TILESIGHT_DAWN_FLAGS`, between spaces: how an experiment of Dawn's is tried without changing code. */
function dawnFlagsFromEnvironment(): string[] {
  return (process.env['TILESIGHT_DAWN_FLAGS'] ?? '').split(' ').filter(Boolean);
}

/** What `TILESIGHT_ADAPTER` asks for. */
export function adapterFromEnvironment(value = process.env['TILESIGHT_ADAPTER']): AdapterChoice {
  switch (value) {
    case undefined:
    case '':
    case 'auto':
      return 'auto';
    case 'system':
    case 'embedded':
      return value;
    default:
      throw new TilesightError('usage', `TILESIGHT_ADAPTER is ${JSON.stringify(value)}: use auto, system or embedded`);
  }
}

/** Every instance that was ever made: V8 may collect one while adapters of it live, which crashes the process. */
const instances: GPU[] = (((globalThis as Record<symbol, unknown>)[Symbol.for('tilesight.dawn')] as
  GPU[] | undefined) ??= []);

async function createApi(flags: readonly string[]): Promise<GPU> {
  let create: (options: string[]) => GPU;
  try {
    ({ create } = await import('webgpu'));
  } catch (cause) {
    const message = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, ' ');
    throw new TilesightError(
      'device',
      `WebGPU's native library cannot be loaded on ${process.platform}-${process.arch} (${message}): ` +
        'it needs Linux with glibc 2.36 or newer, macOS or Windows; reinstall with `npm install webgpu@0.6.2`',
      { cause },
    );
  }
  try {
    const api = create(dawnFlagList(flags));
    instances.push(api);
    return api;
  } catch (cause) {
    const message = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, ' ');
    throw new TilesightError('usage', `Dawn refuses its switches ${flags.join(' ')} (${message}): correct them`, {
      cause,
    });
  }
}

/** Runs `body` with a folder for `XDG_RUNTIME_DIR`, whose absence makes Mesa print an error line of no consequence. */
async function withRuntimeFolder<T>(body: () => Promise<T>): Promise<T> {
  if (process.platform !== 'linux' || process.env['XDG_RUNTIME_DIR']) return body();
  const folder = mkdtempSync(join(tmpdir(), 'tilesight-runtime-'));
  process.env['XDG_RUNTIME_DIR'] = folder;
  try {
    return await body();
  } finally {
    delete process.env['XDG_RUNTIME_DIR'];
    rmSync(folder, { recursive: true, force: true });
  }
}

async function firstAdapter(options: ApiOptions): Promise<{ api: GPU; info: GPUAdapterInfo } | undefined> {
  return withRuntimeFolder(async () => {
    const api = await createApi(options.dawnFlags ?? dawnFlagsFromEnvironment());
    const adapter = await api.requestAdapter({ powerPreference: options.powerPreference ?? 'high-performance' });
    return adapter ? { api, info: adapter.info } : undefined;
  });
}

/** Where notices go unless the caller takes them. */
export const noticeOnStandardError = (line: string): void => void process.stderr.write(`${line}\n`);

/** What to install for an adapter of the system's own. */
function systemRemedy(): string {
  switch (process.platform) {
    case 'linux':
      return (
        "install your GPU's Vulkan driver, or Mesa 24 or newer (Debian 12: `apt-get install -t bookworm-backports " +
        'mesa-vulkan-drivers libvulkan1`; newer Debian and Ubuntu: the same without -t)'
      );
    case 'win32':
      return "install the GPU maker's current driver (Direct3D 12 is needed)";
    case 'darwin':
      return 'a Mac with Metal is needed (macOS 11 or newer)';
    default:
      return 'Linux, macOS or Windows is needed';
  }
}

/** That the adapter computes on the CPU, why, and what would be faster; undefined for hardware. */
function softwareAdvice(info: GPUAdapterInfo, embedded: boolean, fault: VulkanFault | undefined): string | undefined {
  const hardware = classifyAdapter(`${info.description} ${info.device}`) === 'hardware';
  if (!embedded && hardware && !info.isFallbackAdapter) return undefined;
  const name = info.description || info.device || 'unnamed';
  const faster = fault?.remedy ?? (embedded ? systemRemedy() : "install your GPU's Vulkan driver");
  return (
    `computing on the CPU with the ${embedded ? 'embedded ' : ''}software adapter ${name}, which is slow` +
    `${fault ? `: ${fault.what}` : ''}; to be faster, ${faster}`
  );
}

/**
 * Opens WebGPU in Node on the first adapter there is: the system's (Vulkan, Metal or Direct3D), else, on Linux x64, the
 * embedded SwiftShader, fetched into the cache on first need. That also covers systems whose only driver Dawn refuses,
 * such as Mesa 22.
 *
 * @throws TilesightError `device` in one line with the remedy when there is no adapter.
 */
export async function openApi(options: ApiOptions = {}): Promise<OpenedApi> {
  const choice = options.adapter ?? adapterFromEnvironment();
  let fault: VulkanFault | undefined;
  if (choice !== 'embedded') {
    const system = await examineVulkan();
    fault = system.fault;
    const found = system.usable ? await firstAdapter(options) : undefined;
    if (found) return { ...found, source: 'system', advice: softwareAdvice(found.info, false, fault) };
    fault ??= { what: "the system's drivers offer no adapter that WebGPU accepts" };
    const remedy = fault.remedy ?? systemRemedy();
    if (choice === 'system') throw new TilesightError('device', `no WebGPU adapter: ${fault.what}; ${remedy}`);
    const obstacle = embeddedAdapterObstacle();
    if (obstacle) {
      throw new TilesightError(
        'device',
        `no WebGPU adapter: ${fault.what}, and of the embedded adapter ${obstacle}; ${remedy}`,
      );
    }
  }
  const remedy = fault?.remedy ?? systemRemedy();
  try {
    await loadEmbeddedAdapter(options.onNotice ?? noticeOnStandardError);
  } catch (cause) {
    if (fault === undefined || !(cause instanceof TilesightError)) throw cause;
    throw new TilesightError('device', `no WebGPU adapter: ${fault.what}, and ${cause.message}; or ${remedy}`, {
      cause,
    });
  }
  const found = await firstAdapter(options);
  if (!found) {
    const why = fault ? `, and ${fault.what}` : '';
    throw new TilesightError(
      'device',
      `no WebGPU adapter: the embedded one does not start on this machine${why}; ${remedy}`,
    );
  }
  return { ...found, source: 'embedded', advice: softwareAdvice(found.info, true, fault) };
}
