/** The kind of machine behind an adapter: it decides which kernel variants are the default. */
export type AdapterClass = 'lavapipe' | 'swiftshader' | 'hardware';

/** The limits that planning looks at, in WebGPU's own units. */
export interface PlanningLimits {
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly minStorageBufferOffsetAlignment: number;
  readonly minUniformBufferOffsetAlignment: number;
}

/** What a plan needs to know of an adapter. Can be written down without a device, for planning. */
export interface AdapterProfile {
  readonly name: string;
  readonly class: AdapterClass;
  readonly features: ReadonlySet<string>;
  /** Fixed subgroup size, or undefined where it varies or subgroups are missing. */
  readonly subgroupSize: number | undefined;
  /**
   * Rows, columns and length of the sum of the products that subgroups compute with operands of 16-bit floats and sums
   * of 32 bits; undefined where the adapter has no such unit.
   */
  readonly subgroupMatrix?: { readonly m: number; readonly n: number; readonly k: number } | undefined;
  readonly limits: PlanningLimits;
}

/** WebGPU's guaranteed limits: what a plan assumes when nothing is known of the adapter. */
export const defaultLimits: PlanningLimits = {
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxBufferSize: 256 * 2 ** 20,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16_384,
  maxStorageBuffersPerShaderStage: 8,
  minStorageBufferOffsetAlignment: 256,
  minUniformBufferOffsetAlignment: 256,
};

/** An adapter as planning assumes it when no device is at hand. */
export const assumedAdapter: AdapterProfile = {
  name: 'assumed adapter with the limits that WebGPU guarantees',
  class: 'hardware',
  features: new Set(),
  subgroupSize: undefined,
  limits: defaultLimits,
};

/** Recognises the two software adapters by the names their drivers give. */
export function classifyAdapter(description: string): AdapterClass {
  if (/llvmpipe|lavapipe/i.test(description)) return 'lavapipe';
  if (/swiftshader/i.test(description)) return 'swiftshader';
  return 'hardware';
}
