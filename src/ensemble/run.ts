import * as v from 'valibot';
import { TilesightError } from '../engine/errors.js';
import type { NamedTensors } from '../engine/tensor.js';
import { decodeSafetensors, encodeSafetensors } from '../models/weights/safetensors.js';
import { configurationHash, firstDifference, sha256, type RunConfiguration } from './configuration.js';

/** Where a run's files live; implemented by `node/` on a folder and by the browser on fetched or stored files. */
export interface RunStorage {
  /** Name of the place, for messages. */
  readonly location: string;
  /** Contents of a file; undefined when there is none. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Writes a file whole or not at all. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Removes a file; no error when there is none. */
  remove(name: string): Promise<void>;
}

/** Version of the run folder's format. Readers refuse others. */
export const runFormatVersion = 1;

const size = v.object({
  height: v.pipe(v.number(), v.integer(), v.minValue(1)),
  width: v.pipe(v.number(), v.integer(), v.minValue(1)),
});
const configurationSchema = v.object({
  model: v.string(),
  modelOptions: v.record(v.string(), v.union([v.number(), v.string(), v.boolean()])),
  backbone: v.string(),
  weights: v.string(),
  imageSize: size,
  tileSize: size,
  stride: size,
  batch: v.pipe(v.number(), v.integer(), v.minValue(1)),
  seed: v.number(),
  shared: v.boolean(),
  window: v.picklist(['mean', 'smooth']),
  seams: v.object({ apply: v.boolean(), sigma: v.number(), width: v.number() }),
  normalization: v.picklist(['tile', 'image', 'none']),
  threshold: v.picklist(['tile', 'image']),
  score: v.picklist(['maximum', 'mean']),
  validation: v.object({
    split: v.picklist(['held-out', 'from-test', 'same-as-test']),
    ratio: v.number(),
    imageQuantile: v.number(),
    pixelQuantile: v.number(),
  }),
  trainingImages: v.array(v.string()),
});
const manifestSchema = v.object({
  format: v.literal('tilesight-run'),
  version: v.number(),
  configuration: configurationSchema,
  configurationHash: v.string(),
  adapter: v.string(),
  complete: v.boolean(),
  parts: v.record(v.string(), v.object({ bytes: v.number(), sha256: v.string() })),
});

/** `run.json`: what the run is and every part of it with size and digest. */
export type RunManifest = v.InferOutput<typeof manifestSchema>;

const partRemedy = 'restore it from a copy, or train again with the same command, which makes it anew';

/** A run folder: its manifest and checked access to its parts. Parts are written first, the manifest last. */
export class Run {
  /** Parts whose bytes this process has found right once; those that are read over and over are not hashed each time. */
  readonly #checked = new Set<string>();

  private constructor(
    readonly storage: RunStorage,
    private manifest: RunManifest,
  ) {}

  get configuration(): RunConfiguration {
    return this.manifest.configuration;
  }

  /** True when every position is fitted and the statistics are there. */
  get complete(): boolean {
    return this.manifest.complete;
  }

  /** Name of the adapter that the run was fitted on. */
  get adapter(): string {
    return this.manifest.adapter;
  }

  /** Names of the finished parts. */
  get parts(): readonly string[] {
    return Object.keys(this.manifest.parts);
  }

  /** Bytes of all parts. */
  get bytes(): number {
    return Object.values(this.manifest.parts).reduce((sum, part) => sum + part.bytes, 0);
  }

  /**
   * Starts a run, or goes on with one of the same configuration. Another configuration in the same place is refused, and
   * so is another adapter: its rounding would mix two results.
   */
  static async start(storage: RunStorage, configuration: RunConfiguration, adapter: string): Promise<Run> {
    const stored = await readManifest(storage);
    const hash = await configurationHash(configuration);
    if (!stored) {
      const manifest: RunManifest = {
        format: 'tilesight-run',
        version: runFormatVersion,
        configuration: structuredClone(configuration) as RunManifest['configuration'],
        configurationHash: hash,
        adapter,
        complete: false,
        parts: {},
      };
      const run = new Run(storage, manifest);
      await run.#save();
      return run;
    }
    if (stored.configurationHash !== hash) {
      const difference = firstDifference(configuration, stored.configuration) ?? 'another configuration';
      throw new TilesightError(
        'usage',
        `${storage.location} holds a run with other settings (${difference}): give another --out, or the settings of that run`,
      );
    }
    if (stored.adapter !== adapter && !stored.complete) {
      throw new TilesightError(
        'usage',
        `${storage.location} was begun on ${stored.adapter}, this is ${adapter}: go on there, or give another --out`,
      );
    }
    return new Run(storage, stored);
  }

  /** Opens a finished run for prediction. */
  static async open(storage: RunStorage): Promise<Run> {
    const manifest = await readManifest(storage);
    if (!manifest) {
      throw new TilesightError(
        'input',
        `${storage.location} is no run folder (no run.json): give the --out of a train command`,
      );
    }
    if (!manifest.complete) {
      throw new TilesightError(
        'input',
        `the run in ${storage.location} is not finished: go on with the same train command`,
      );
    }
    return new Run(storage, manifest);
  }

  /** Whether a part of this name is finished. */
  has(name: string): boolean {
    return name in this.manifest.parts;
  }

  /** Writes a part, then the manifest that names it. */
  async writePart(name: string, bytes: Uint8Array): Promise<void> {
    this.#checked.delete(name);
    await this.storage.write(name, bytes);
    const parts = { ...this.manifest.parts, [name]: { bytes: bytes.length, sha256: await sha256(bytes) } };
    this.manifest = {
      ...this.manifest,
      parts: Object.fromEntries(Object.entries(parts).sort(([a], [b]) => (a < b ? -1 : 1))),
    };
    await this.#save();
  }

  /** Leaves a part out of the run, which is no longer finished: it can be written anew. */
  async forget(name: string): Promise<void> {
    const parts = Object.fromEntries(Object.entries(this.manifest.parts).filter(([part]) => part !== name));
    this.manifest = { ...this.manifest, parts, complete: false };
    await this.#save();
  }

  /** Reads a part and checks its size, and its digest the first time. */
  async readPart(name: string): Promise<Uint8Array> {
    const expected = this.manifest.parts[name];
    const where = `${this.storage.location}/${name}`;
    const bytes = expected && (await this.storage.read(name));
    if (!bytes) throw new TilesightError('input', `${where} is missing: ${partRemedy}`);
    const right =
      bytes.length === expected.bytes && (this.#checked.has(name) || (await sha256(bytes)) === expected.sha256);
    if (!right) {
      throw new TilesightError('input', `${where} is damaged (its digest differs from run.json): ${partRemedy}`);
    }
    this.#checked.add(name);
    return bytes;
  }

  /** Writes the parameters of a position. */
  async writeTensors(name: string, tensors: NamedTensors): Promise<void> {
    await this.writePart(name, encodeSafetensors(tensors, {}));
  }

  /** Reads the parameters of a position. */
  async readTensors(name: string): Promise<NamedTensors> {
    return decodeSafetensors(await this.readPart(name), `${this.storage.location}/${name}`).tensors;
  }

  /** Writes a JSON part. */
  async writeJson(name: string, value: unknown): Promise<void> {
    await this.writePart(name, new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`));
  }

  /** Reads a JSON part; its shape is the caller's to check. */
  async readJson(name: string): Promise<unknown> {
    return JSON.parse(new TextDecoder().decode(await this.readPart(name))) as unknown;
  }

  /** Marks the run as ready for prediction. */
  async finish(): Promise<void> {
    if (this.manifest.complete) return;
    this.manifest = { ...this.manifest, complete: true };
    await this.#save();
  }

  async #save(): Promise<void> {
    await this.storage.write('run.json', new TextEncoder().encode(`${JSON.stringify(this.manifest, undefined, 2)}\n`));
  }
}

async function readManifest(storage: RunStorage): Promise<RunManifest | undefined> {
  const bytes = await storage.read('run.json');
  if (!bytes) return undefined;
  const where = `${storage.location}/run.json`;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new TilesightError(
      'input',
      `${where} is damaged (no JSON): restore it from a copy, or train into a new folder`,
    );
  }
  const version = value !== null && typeof value === 'object' && 'version' in value ? value.version : undefined;
  if (typeof version === 'number' && version !== runFormatVersion) {
    throw new TilesightError(
      'input',
      `${where} has format version ${version}, this Tilesight reads ${runFormatVersion}: use the version that wrote it`,
    );
  }
  const parsed = v.safeParse(manifestSchema, value);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    throw new TilesightError(
      'input',
      `${where} is damaged (${v.getDotPath(issue) ?? 'root'}: ${issue.message}): restore it from a copy, or train into a new folder`,
    );
  }
  if ((await configurationHash(parsed.output.configuration)) !== parsed.output.configurationHash) {
    throw new TilesightError(
      'input',
      `${where} is damaged (its configuration does not match its hash): restore it from a copy, or train into a new folder`,
    );
  }
  return parsed.output;
}

/** Name of the part that holds a position's parameters. */
export function positionPart(row: number, column: number): string {
  return `tiles/${row}-${column}.safetensors`;
}

/** Name of the part that holds the parameters of a model shared by all positions. */
export const sharedPart = 'tiles/shared.safetensors';
