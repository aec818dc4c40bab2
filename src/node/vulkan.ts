import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What is wrong with the system's Vulkan. */
export interface VulkanFault {
  readonly what: string;
  /** What to do, where it is something else than to install a driver. */
  readonly remedy?: string;
}

/** What can be known of the system's Vulkan without asking Dawn, which prints alarming lines about what it misses. */
export interface SystemVulkan {
  /** False where there can be no adapter. */
  readonly usable: boolean;
  readonly fault?: VulkanFault;
}

/**
 * Looks at the system's Vulkan drivers and its loader. Only Linux is looked at: the other systems bring their own API. Where
 * an NVIDIA driver is installed that probably cannot start, a process of its own tries it; if it does not start, it is taken
 * off the list of drivers of this process.
 */
export async function examineVulkan(environment: NodeJS.ProcessEnv = process.env): Promise<SystemVulkan> {
  if (process.platform !== 'linux') return { usable: true };
  const drivers = vulkanDrivers(environment);
  if (drivers.length === 0) return { usable: false, fault: { what: 'no Vulkan driver is installed' } };
  if (!isLibrary('libvulkan.so.1')) {
    return { usable: false, fault: { what: 'the Vulkan loader libvulkan.so.1 is missing or damaged' } };
  }
  const others = drivers.filter((driver) => !/nvidia/i.test(basename(driver)));
  const fault = others.length < drivers.length ? nvidiaFault() : undefined;
  if (!fault || (await opensAdapter(environment, /nvidia/i))) return { usable: true };
  if (others.length > 0) environment['VK_DRIVER_FILES'] = others.join(delimiter);
  return { usable: others.length > 0, fault };
}

/** Libraries that NVIDIA's Vulkan driver opens at its start, although nothing is drawn. */
const nvidiaNeeds = ['libEGL.so.1', 'libGL.so.1', 'libGLX.so.0'];

/** What keeps an installed NVIDIA driver from starting; undefined where nothing is seen. */
function nvidiaFault(): VulkanFault | undefined {
  if (!existsSync('/dev/nvidiactl')) {
    return {
      what: "NVIDIA's Vulkan driver is installed, and there is no NVIDIA GPU to be seen (/dev/nvidiactl)",
      remedy:
        'load the kernel module (`nvidia-smi` tells), or pass the GPU into the container with NVIDIA_DRIVER_CAPABILITIES=all',
    };
  }
  const missing = nvidiaNeeds.filter((name) => !isLibrary(name));
  if (missing.length === 0) return undefined;
  return {
    what: `NVIDIA's Vulkan driver does not start, because ${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing`,
    remedy: 'install them (Debian and Ubuntu: `apt-get install libegl1 libgl1 libglx0 libglvnd0`)',
  };
}

/** Whether the dynamic linker finds a library. */
function isLibrary(name: string): boolean {
  try {
    process.dlopen({ exports: {} }, name);
    return true;
  } catch (cause) {
    // A library that is no Node addon was found and loaded: that is the answer sought.
    return /did not self-register/i.test(cause instanceof Error ? cause.message : String(cause));
  }
}

const probe = `const { create } = await import(process.argv[1]);
const adapter = await create([]).requestAdapter({ powerPreference: 'high-performance' });
process.stdout.write(adapter ? adapter.info.vendor + ' ' + adapter.info.description : '');
process.exit(0);`;

/** Whether Dawn finds an adapter of this name, tried in a process whose lines nobody sees. */
async function opensAdapter(environment: NodeJS.ProcessEnv, name: RegExp): Promise<boolean> {
  const module = pathToFileURL(createRequire(import.meta.url).resolve('webgpu')).href;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', probe, module], {
    env: environment,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 30_000,
  });
  let found = '';
  child.stdout.on('data', (chunk: Buffer) => (found += chunk.toString()));
  await once(child, 'close');
  return name.test(found);
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
  if (named !== undefined) return list(named).flatMap(manifests);
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
