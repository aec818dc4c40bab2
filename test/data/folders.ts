import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import type { RgbImage } from '../../src/data/image.js';
import { nodeImages } from '../../src/node/images.js';

/** A fresh folder that is removed after the file's tests. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tilesight-data-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** An image of one colour that differs by `tone`, 255 for a full mask. */
export function plainImage(tone: number, height = 6, width = 8): RgbImage {
  return { height, width, data: new Uint8Array(height * width * 3).fill(tone) };
}

let tone = 0;

/** Writes images of different content under a root. */
export async function writeImages(root: string, names: readonly string[], image?: RgbImage): Promise<void> {
  for (const name of names) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    tone = (tone + 1) % 250;
    await nodeImages.writePng(path, image ?? plainImage(tone + 1));
  }
}

/** Writes a text file under a root. */
export async function writeText(root: string, name: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, name)), { recursive: true });
  await writeFile(join(root, name), text);
}
