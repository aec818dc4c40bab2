import { TilesightError } from './errors.js';

/** Values that replace a kernel's `const` declarations. */
export type Constants = Readonly<Record<string, number | boolean>>;

/**
 * A kernel is data: its WGSL and what it is specialised on. The WGSL file is the single source of truth for bindings
 * (`@group(0) @binding(n) var<storage, …>`) and parameters (`struct Params` of 32-bit scalars, bound as
 * `var<uniform> params: Params`); both are read out of the text.
 */
export interface Kernel {
  /** Unique name, `operator/variant`, with what it is specialised on. Shown in profiles and labels. */
  readonly name: string;
  /** WGSL text; fragments that several kernels share are joined by the record. */
  readonly source: string;
  /** Replaces `const NAME: type = value;` lines of the source. */
  readonly constants?: Constants;
  /** Replaces `alias NAME = type;` lines of the source, for example `{ Scalar: 'f16' }`. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** WGSL extensions to enable, each of which stands for an adapter feature that it needs. */
  readonly enables?: readonly ('f16' | 'subgroups' | 'chromium_experimental_subgroup_matrix')[];
}

/** One storage binding of a kernel. */
export interface KernelBinding {
  readonly name: string;
  readonly access: 'read' | 'read_write';
}

/** One field of a kernel's parameter block. */
export interface KernelParameter {
  readonly name: string;
  readonly type: 'u32' | 'i32' | 'f32';
}

/** What the text of a kernel says about itself. */
export interface KernelInterface {
  readonly bindings: readonly KernelBinding[];
  readonly parameters: readonly KernelParameter[];
  /** Binding number of the parameter block; undefined when the kernel has none. */
  readonly parameterBinding: number | undefined;
}

/** The text that is compiled: extensions enabled, constants and aliases replaced. */
export function kernelText(kernel: Kernel): string {
  let text = kernel.source;
  for (const [name, value] of Object.entries(kernel.constants ?? {})) {
    const pattern = new RegExp(`^const ${name}: (\\w+) = [^;]*;`, 'm');
    const type = pattern.exec(text)?.[1];
    if (type === undefined) throw new Error(`kernel ${kernel.name} has no constant ${name}`);
    text = text.replace(pattern, `const ${name}: ${type} = ${literal(value, type)};`);
  }
  for (const [name, type] of Object.entries(kernel.aliases ?? {})) {
    const pattern = new RegExp(`^alias ${name} = [^;]*;`, 'm');
    if (!pattern.test(text)) throw new Error(`kernel ${kernel.name} has no alias ${name}`);
    text = text.replace(pattern, `alias ${name} = ${type};`);
  }
  const enables = (kernel.enables ?? []).map((name) => `enable ${name};\n`).join('');
  // The compiler does not know that a subgroup's number is the same throughout the subgroup.
  const matrix = kernel.enables?.includes('chromium_experimental_subgroup_matrix');
  return enables + (matrix ? 'diagnostic(off, chromium.subgroup_matrix_uniformity);\n' : '') + text;
}

function literal(value: number | boolean, type: string): string {
  if (typeof value === 'boolean') return String(value);
  if (type === 'f32') return Number.isInteger(value) ? value.toFixed(1) : String(value);
  return type === 'u32' ? `${value}u` : String(value);
}

const interfaces = new WeakMap<Kernel, KernelInterface>();

/** Reads bindings and parameters out of a kernel's text. */
export function kernelInterface(kernel: Kernel): KernelInterface {
  const known = interfaces.get(kernel);
  if (known) return known;
  const bindings: KernelBinding[] = [];
  const storage = /@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*(\w+)\s*:/g;
  for (const [, index, access, name] of kernel.source.matchAll(storage)) {
    bindings[Number(index)] = { name: name ?? '', access: access === 'read' ? 'read' : 'read_write' };
  }
  const uniform = /@group\(0\)\s*@binding\((\d+)\)\s*var<uniform>\s*params\s*:\s*Params/.exec(kernel.source);
  const parameters: KernelParameter[] = [];
  if (uniform) {
    const body = (/struct Params\s*\{([^}]*)\}/.exec(kernel.source)?.[1] ?? '').replace(/\/\/.*/g, '');
    for (const [, name, type] of body.matchAll(/(\w+)\s*:\s*(u32|i32|f32)\b/g)) {
      parameters.push({ name: name ?? '', type: type === 'u32' || type === 'i32' ? type : 'f32' });
    }
  }
  const found = { bindings, parameters, parameterBinding: uniform ? Number(uniform[1]) : undefined };
  interfaces.set(kernel, found);
  return found;
}

/** Packs parameter values in the order of `struct Params`, as 32-bit words. */
export function packParameters(kernel: Kernel, values: Readonly<Record<string, number>>): Uint32Array {
  const { parameters } = kernelInterface(kernel);
  const words = new DataView(new ArrayBuffer(parameters.length * 4));
  parameters.forEach(({ name, type }, index) => {
    const value = values[name];
    if (value === undefined) throw new Error(`kernel ${kernel.name} wants the parameter ${name}`);
    if (type === 'u32') words.setUint32(index * 4, value, true);
    else if (type === 'i32') words.setInt32(index * 4, value, true);
    else words.setFloat32(index * 4, value, true);
  });
  return new Uint32Array(words.buffer);
}

/**
 * Spreads `count` workgroups over x and y when they pass the limit a dimension has. The kernel numbers them
 * `workgroup_id.x + workgroup_id.y * num_workgroups.x` and must ignore numbers from `count` on.
 */
export function foldWorkgroups(count: number, limit: number): readonly [number, number, number] {
  if (count <= limit) return [Math.max(1, count), 1, 1];
  const y = Math.ceil(count / limit);
  if (y > limit)
    throw new TilesightError(
      'memory',
      `${count} workgroups pass what the device can dispatch: use a smaller tile or batch`,
    );
  return [Math.ceil(count / y), y, 1];
}
