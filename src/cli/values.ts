import { InvalidArgumentError } from 'commander';
import type { ImageSize } from '../data/image.js';
import { parseBytes } from '../engine/memory.js';

/** `256` or `480x640` (height x width), in pixels. */
export function parseSize(text: string): ImageSize {
  const match = /^(\d+)(?:x(\d+))?$/i.exec(text.trim());
  const height = Number(match?.[1]);
  const width = match?.[2] === undefined ? height : Number(match[2]);
  if (!match || height < 1 || width < 1) {
    throw new InvalidArgumentError('give a number of pixels, as 256, or height x width, as 480x640.');
  }
  return { height, width };
}

/** `512MiB`, `4GB` or a plain number of bytes. */
export function parseMemory(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined || bytes < 1) throw new InvalidArgumentError('give bytes, as 512MiB, 4GB or 268435456.');
  return bytes;
}

/** A parser of whole numbers from `minimum` on. */
export function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < minimum) {
      throw new InvalidArgumentError(`give a whole number from ${minimum} on.`);
    }
    return value;
  };
}

/** A parser of numbers in a range. */
export function numberBetween(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= minimum && value <= maximum)) {
      throw new InvalidArgumentError(`give a number from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}

/** `operator=variant` pairs: may be given several times or separated by commas. */
export function parseKernels(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kernels: Record<string, string> = { ...before };
  for (const pair of text.split(',')) {
    const match = /^([\w-]+)=([\w-]+)$/.exec(pair.trim());
    if (!match?.[1] || !match[2]) throw new InvalidArgumentError('give operator=variant, as conv2d=winograd4.');
    kernels[match[1]] = match[2];
  }
  return kernels;
}
