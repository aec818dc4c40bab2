import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { classifyAdapter } from '../engine/adapter.js';
import { TilesightError } from '../engine/errors.js';
import { embeddedAdapterObstacle, loadEmbeddedAdapter } from './embedded-adapter.js';

/** Where the adapter comes from. `auto`: the system's, else the embedded one. */
export type AdapterChoice = 'auto' | 'system' | 'embedded';

/** How to find an adapter. */
export interface ApiOptions {
  /** Default: what `TILESIGHT_ADAPTER` says, else `auto`. */
  readonly adapter?: AdapterChoice;
  /** Switches for Dawn, e.g. `enable-dawn-features=allow_unsafe_apis` or `backend=vulkan`. */
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
  /** The adapter computes on the CPU. */
  readonly software: boolean;
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

/**
 * Why the system can have no Vulkan adapter, found without asking Dawn (which would print an alarming line); undefined
 * when there may be one. Only Linux is looked at: the other systems bring their own API.
 */
export function vulkanObstacle(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  if (process.platform !== 'linux') return undefined;
  if (vulkanDrivers(environment).length === 0) return 'no Vulkan driver is installed';
  try {
    process.dlopen({ exports: {} }, 'libvulkan.so.1');
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    // A library that is no Node addon was found and loaded: that is the answer sought.
    if (!/did not self-register/i.test(message)) return 'the Vulkan loader libvulkan.so.1 is missing or damaged';
  }
  return undefined;
}

/** Driver manifests where the Vulkan loader looks for them. */
function vulkanDrivers(environment: NodeJS.ProcessEnv): string[] {
  const named = environment['VK_DRIVER_FILES'] ?? environment['VK_ICD_FILENAMES'];
  const list = (value: string | undefined): string[] => (value ?? '').split(delimiter).filter(Boolean);
  const manifests = (path: string): string[] => {
    if (path.endsWith('.json')) return existsSync(path) ? [path] : [];
    try {
      return readdirSync(path)
        .filter((name) => name.endsWith('.json'))
        .map((name) => join(path, name));
    } catch {
      return [];
    }
  };
  if (named) return list(named).flatMap(manifests);
  const home = environment['HOME'] ?? homedir();
  const folders = [
    environment['XDG_CONFIG_HOME'] ?? join(home, '.config'),
    ...list(environment['XDG_CONFIG_DIRS'] ?? '/etc/xdg'),
    '/etc',
    '/usr/local/etc',
    environment['XDG_DATA_HOME'] ?? join(home, '.local', 'share'),
    ...list(environment['XDG_DATA_DIRS'] ?? '/usr/local/share:/usr/share'),
    '/run/opengl-driver/share',
  ];
  const added = list(environment['VK_ADD_DRIVER_FILES']).flatMap(manifests);
  return [...added, ...folders.flatMap((folder) => manifests(join(folder, 'vulkan', 'icd.d')))];
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
    const api = await createApi(options.dawnFlags ?? []);
    const adapter = await api.requestAdapter({ powerPreference: options.powerPreference ?? 'high-performance' });
    return adapter ? { api, info: adapter.info } : undefined;
  });
}

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

let noticed = false;

function noticeSoftware(opened: OpenedApi, why: string | undefined, notice: (line: string) => void): void {
  if (!opened.software || noticed) return;
  noticed = true;
  const name = opened.info.description || opened.info.device || 'unnamed';
  notice(
    opened.source === 'embedded'
      ? `computing on the CPU with the embedded software adapter (${name}), which is slow` +
          `${why ? `: ${why}` : ''}; to be faster, ${systemRemedy()}`
      : `computing on the CPU with the software adapter ${name}; a GPU with its Vulkan driver is many times faster`,
  );
}

/**
 * Opens WebGPU in Node on the first adapter there is: the system's (Vulkan, Metal or Direct3D), else, on Linux x64, the
 * embedded SwiftShader, fetched into the cache on first need. That also covers systems whose only driver Dawn refuses,
 * such as Mesa 22. Says in one line when the adapter computes in software.
 *
 * @throws TilesightError `device` in one line with the remedy when there is no adapter.
 */
export async function openApi(options: ApiOptions = {}): Promise<OpenedApi> {
  const choice = options.adapter ?? adapterFromEnvironment();
  const notice = options.onNotice ?? ((line: string) => void process.stderr.write(`${line}\n`));
  let why: string | undefined;
  if (choice !== 'embedded') {
    why = vulkanObstacle();
    const found = why === undefined ? await firstAdapter(options) : undefined;
    if (found) {
      const software =
        found.info.isFallbackAdapter ||
        classifyAdapter(`${found.info.description} ${found.info.device}`) !== 'hardware';
      const opened: OpenedApi = { ...found, source: 'system', software };
      noticeSoftware(opened, undefined, notice);
      return opened;
    }
    why ??= "the system's drivers offer no adapter that WebGPU accepts";
    if (choice === 'system') throw new TilesightError('device', `no WebGPU adapter: ${why}; ${systemRemedy()}`);
    const obstacle = embeddedAdapterObstacle();
    if (obstacle) {
      throw new TilesightError(
        'device',
        `no WebGPU adapter: ${why}, and of the embedded adapter ${obstacle}; ${systemRemedy()}`,
      );
    }
  }
  try {
    await loadEmbeddedAdapter(notice);
  } catch (cause) {
    if (why === undefined || !(cause instanceof TilesightError)) throw cause;
    throw new TilesightError('device', `no WebGPU adapter: ${why}, and ${cause.message}; or ${systemRemedy()}`, {
      cause,
    });
  }
  const found = await firstAdapter(options);
  if (!found) {
    throw new TilesightError(
      'device',
      `no WebGPU adapter: the embedded one does not start on this machine${why ? `, and ${why}` : ''}; ${systemRemedy()}`,
    );
  }
  const opened: OpenedApi = { ...found, source: 'embedded', software: true };
  noticeSoftware(opened, why, notice);
  return opened;
}
