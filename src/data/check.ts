import { compareCodePoints, someNames } from './files.js';
import { formatImageSize, type Dataset, type ImageReader, type ImageSize, type Sample } from './image.js';

/** What can be wrong with a data set. */
export type FindingCode =
  | 'unreadable-image'
  | 'unreadable-mask'
  | 'mask-size'
  | 'empty-mask'
  | 'missing-mask'
  | 'no-masks'
  | 'mixed-sizes'
  | 'duplicates';

/** One kind of fault with the images that have it. */
export interface Finding {
  readonly code: FindingCode;
  /** An error stops a run; a warning is told. */
  readonly severity: 'error' | 'warning';
  /** How many images have it. */
  readonly count: number;
  /** The first five, by name, each with what distinguishes it in brackets where there is something to tell. */
  readonly names: readonly string[];
  /** What is wrong and what to do about it, without a count or names. */
  readonly message: string;
}

/** What a check found. */
export interface CheckResult {
  readonly images: number;
  readonly masks: number;
  /** Every image size with how many images have it, the most frequent first. */
  readonly sizes: readonly (ImageSize & { readonly count: number })[];
  /** Errors first. */
  readonly findings: readonly Finding[];
  readonly errors: number;
  readonly warnings: number;
}

/** How thoroughly to check. */
export interface CheckOptions {
  /** Decode every image to its last row; without, only headers are read. Default true. */
  readonly decode?: boolean;
  /** Called after each image. */
  readonly onProgress?: (done: number, total: number) => void;
}

interface Fault {
  readonly code: FindingCode;
  readonly name: string;
  readonly detail: string;
}

/** What was seen of one image. */
interface Inspection {
  readonly size: ImageSize | undefined;
  readonly hash: string | undefined;
  readonly faults: readonly Fault[];
}

const severities: Readonly<Record<FindingCode, Finding['severity']>> = {
  'unreadable-image': 'error',
  'unreadable-mask': 'error',
  'mask-size': 'error',
  'empty-mask': 'warning',
  'missing-mask': 'warning',
  'no-masks': 'warning',
  'mixed-sizes': 'warning',
  duplicates: 'warning',
};

const messages: Readonly<Record<FindingCode, string>> = {
  'unreadable-image': 'images cannot be read; replace or remove them',
  'unreadable-mask': 'masks are missing or cannot be read; restore or remove them',
  'mask-size': 'masks differ in size from their images; export them at the size of the image',
  'empty-mask': 'defective images have an empty mask; mark the defect, or move the image to the good ones',
  'missing-mask': 'defective images have no mask although others do; they are left out of the pixel metrics',
  'no-masks': 'defective images and no masks at all; there are no pixel metrics',
  'mixed-sizes': 'images differ in size from the rest; all are resized to one size, which distorts another shape',
  duplicates: 'test images are also training images; remove one of each, or the scores are too good',
};

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function inspectMask(sample: Sample, size: ImageSize, reader: ImageReader): Promise<Fault[]> {
  if (sample.maskPath === undefined) return [];
  try {
    const mask = await reader.readMask(sample.maskPath);
    const detail = `mask ${formatImageSize(mask)}, image ${formatImageSize(size)}`;
    if (mask.height !== size.height || mask.width !== size.width) {
      return [{ code: 'mask-size', name: sample.name, detail }];
    }
    return mask.data.some((value) => value > 0) ? [] : [{ code: 'empty-mask', name: sample.name, detail: '' }];
  } catch (error) {
    return [{ code: 'unreadable-mask', name: sample.name, detail: reasonOf(error) }];
  }
}

async function inspect(
  sample: Sample,
  reader: ImageReader,
  hashOf: (path: string) => Promise<string>,
  decode: boolean,
): Promise<Inspection> {
  try {
    const size = await reader.readSize(sample.path);
    if (decode) await reader.readImage(sample.path);
    const hash = await hashOf(sample.path);
    return { size, hash, faults: await inspectMask(sample, size, reader) };
  } catch (error) {
    const fault: Fault = { code: 'unreadable-image', name: sample.name, detail: reasonOf(error) };
    return { size: undefined, hash: undefined, faults: [fault] };
  }
}

/** Image sizes by how often they occur; equal counts by area, the larger first. */
function countSizes(inspections: readonly Inspection[]): (ImageSize & { count: number })[] {
  const counts = new Map<string, ImageSize & { count: number }>();
  for (const { size } of inspections) {
    if (size === undefined) continue;
    const count = (counts.get(formatImageSize(size))?.count ?? 0) + 1;
    counts.set(formatImageSize(size), { ...size, count });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count || b.height * b.width - a.height * a.width);
}

/** Faults that only show over the whole set: sizes that differ and images that are in training and in the test. */
function acrossImages(samples: readonly Sample[], inspections: readonly Inspection[], trained: number): Fault[] {
  const faults: Fault[] = [];
  const [usual] = countSizes(inspections);
  const nameByHash = new Map<string, string>();
  samples.forEach((sample, i) => {
    const { size, hash } = inspections[i] ?? {};
    if (size !== undefined && usual !== undefined && formatImageSize(size) !== formatImageSize(usual)) {
      const detail = `${formatImageSize(size)}, most are ${formatImageSize(usual)}`;
      faults.push({ code: 'mixed-sizes', name: sample.name, detail });
    }
    if (hash === undefined) return;
    const twin = nameByHash.get(hash);
    if (i < trained) nameByHash.set(hash, twin ?? sample.name);
    else if (twin !== undefined) faults.push({ code: 'duplicates', name: sample.name, detail: `same as ${twin}` });
  });
  return faults;
}

function gather(faults: readonly Fault[]): Finding[] {
  const codes = Object.keys(messages) as FindingCode[];
  const findings = codes.map((code): Finding => {
    const own = faults.filter((fault) => fault.code === code).sort((a, b) => compareCodePoints(a.name, b.name));
    const names = own.slice(0, 5).map(({ name, detail }) => (detail === '' ? name : `${name} (${detail})`));
    return { code, severity: severities[code], count: own.length, names, message: messages[code] };
  });
  const found = findings.filter((finding) => finding.count > 0);
  return [
    ...found.filter((finding) => finding.severity === 'error'),
    ...found.filter((finding) => finding.severity === 'warning'),
  ];
}

/**
 * Checks a data set before anything is trained on it: unreadable files, masks of another size or empty, defective images
 * without a mask, mixed image sizes, and images that are both in training (or validation) and in the test by content.
 * Bad images are findings, not errors thrown. One image is decoded at a time.
 *
 * @param hashOf content hash of a file
 */
export async function checkDataset(
  dataset: Dataset,
  reader: ImageReader,
  hashOf: (path: string) => Promise<string>,
  options: CheckOptions = {},
): Promise<CheckResult> {
  const trained = [...dataset.train, ...dataset.validation];
  const samples = [...trained, ...dataset.test];
  const inspections: Inspection[] = [];
  for (const sample of samples) {
    inspections.push(await inspect(sample, reader, hashOf, options.decode ?? true));
    options.onProgress?.(inspections.length, samples.length);
  }
  const faults = inspections.flatMap((inspection) => [...inspection.faults]);
  faults.push(...acrossImages(samples, inspections, trained.length));
  const defective = samples.filter((sample) => sample.label === 1);
  const masks = samples.filter((sample) => sample.maskPath !== undefined).length;
  for (const sample of defective) {
    if (sample.maskPath !== undefined) continue;
    faults.push({ code: masks > 0 ? 'missing-mask' : 'no-masks', name: sample.name, detail: '' });
  }
  const findings = gather(faults);
  const total = (severity: Finding['severity']): number =>
    findings.filter((finding) => finding.severity === severity).length;
  return {
    images: samples.length,
    masks,
    sizes: countSizes(inspections),
    findings,
    errors: total('error'),
    warnings: total('warning'),
  };
}

/** One line a finding: `fault` or `warning`, what is wrong and what to do, the count, the first five names, how many more. */
export function formatFindings(result: CheckResult): string[] {
  return result.findings.map(({ severity, count, names, message }) => {
    const more = count > names.length ? ` and ${count - names.length} more` : '';
    return `${severity === 'error' ? 'fault' : severity}: ${message} (${count}): ${someNames(names)}${more}`;
  });
}
