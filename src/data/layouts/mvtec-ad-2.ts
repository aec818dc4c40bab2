import { joinPath } from '../files.js';
import type { Layout } from './layout.js';
import { loadMvtec } from './mvtec-ad.js';

/**
 * MVTec AD 2: `train/good`, `validation/good`, `test_public/{good,bad}` and `test_public/ground_truth/bad/…_mask.png`.
 * Its private test images carry no labels; they are images to predict on.
 */
export const mvtecAd2: Layout = {
  name: 'MVTec AD 2',
  looksFor: 'train/good and test_public',
  matches: async (tree, base) =>
    (await tree.list(joinPath(base, 'train/good'))) !== undefined &&
    (await tree.list(joinPath(base, 'test_public'))) !== undefined,
  load: (tree, base) =>
    loadMvtec(tree, base, 'MVTec AD 2', { test: 'test_public', groundTruth: 'test_public/ground_truth' }),
};
