import { TilesightError } from '../engine/errors.js';

/** One name in a folder. */
export interface FolderEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/**
 * A tree of folders and files that data sets are looked for in: the disk in Node, a picked folder or a server in the
 * browser. Paths are relative to `root` with forward slashes (`''` is the root itself); where the platform has them,
 * absolute paths are taken as they are.
 */
export interface FileTree {
  /** The root as shown in messages: an absolute path or a URL. */
  readonly root: string;
  /** The entries of a folder in any order; undefined where there is no such folder. */
  list(folder: string): Promise<readonly FolderEntry[] | undefined>;
  /** The text of a file (UTF-8); undefined where there is no such file. */
  readText(path: string): Promise<string | undefined>;
  /** Where an `ImageReader` finds a path: absolute, normalised, with forward slashes. */
  locate(path: string): string;
}

/** File name endings that are taken for images, compared without case. */
export const imageExtensions: readonly string[] = ['png', 'jpg', 'jpeg', 'tif', 'tiff', 'webp'];

/** Whether a file name ends as an image; hidden files (`._000.png` of macOS archives among them) never do. */
export function isImageName(name: string): boolean {
  const dot = name.lastIndexOf('.');
  return dot > 0 && !name.startsWith('.') && imageExtensions.includes(name.slice(dot + 1).toLowerCase());
}

/** Orders strings by code point, the same on every platform and in every locale. */
export function compareCodePoints(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length) {
    const x = a.codePointAt(i) ?? 0;
    const y = b.codePointAt(i) ?? 0;
    if (x !== y) return x - y;
    i += x > 0xffff ? 2 : 1;
  }
  return a.length - b.length;
}

/** Joins path parts with one slash, leaving out empty ones. */
export function joinPath(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('/');
}

/** The last part of a path. */
export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A file name without its folder and its ending. */
export function stemOf(path: string): string {
  const name = lastPart(path);
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(0, dot) : name;
}

/** Names of the images directly in a folder, sorted; undefined where there is no such folder. */
export async function listImages(tree: FileTree, folder: string): Promise<string[] | undefined> {
  const entries = await tree.list(folder);
  return entries
    ?.filter((entry) => !entry.isFolder && isImageName(entry.name))
    .map((entry) => entry.name)
    .sort(compareCodePoints);
}

/** Names of the folders directly in a folder, sorted, hidden ones left out; empty where there is no such folder. */
export async function listFolders(tree: FileTree, folder: string): Promise<string[]> {
  const entries = (await tree.list(folder)) ?? [];
  return entries
    .filter((entry) => entry.isFolder && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .sort(compareCodePoints);
}

/**
 * Paths relative to `folder` of all images in it and below it, sorted.
 *
 * @param excluded located paths of folders that are not entered
 */
export async function walkImages(tree: FileTree, folder: string, excluded: readonly string[] = []): Promise<string[]> {
  const found: string[] = [];
  const visit = async (inner: string): Promise<void> => {
    for (const entry of (await tree.list(joinPath(folder, inner))) ?? []) {
      const path = joinPath(inner, entry.name);
      if (!entry.isFolder) {
        if (isImageName(entry.name)) found.push(path);
      } else if (!entry.name.startsWith('.') && !excluded.includes(tree.locate(joinPath(folder, path)))) {
        await visit(path);
      }
    }
  };
  await visit('');
  return found.sort(compareCodePoints);
}

/** Up to five names, comma-separated, with how many more there are. */
export function someNames(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

/** The error for a folder that should hold images and is missing or holds none. */
export async function noImagesError(tree: FileTree, folder: string): Promise<TilesightError> {
  const where = tree.locate(folder);
  const entries = await tree.list(folder);
  if (entries === undefined) return new TilesightError('input', `${where}: no such folder; check the path`);
  const endings = imageExtensions.map((extension) => `.${extension}`).join(' ');
  const names = entries.map((entry) => (entry.isFolder ? `${entry.name}/` : entry.name)).sort(compareCodePoints);
  const held = names.length === 0 ? 'the folder is empty' : `it holds ${someNames(names)}`;
  return new TilesightError('input', `${where}: no images (${endings}); ${held}; name a folder of images`);
}
