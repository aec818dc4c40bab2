import type { AdapterProfile } from '../../engine/adapter.js';
import { fastestProduct, prefersSlices } from '../product/product.js';
import { isDepthwise, type Conv2dShape } from './shape.js';

/** Names of the convolution's variants. */
export type Conv2dVariantName =
  | 'naive'
  | 'direct'
  | 'subgroup'
  | 'subgroup-f16'
  | 'shared'
  | 'splitk'
  | 'depthwise'
  | 'depthwise-subgroup'
  | 'winograd2'
  | 'winograd4';

/**
 * The default variants for a shape on an adapter, best first: the first that applies is taken. The batch plays no part,
 * so that results do not depend on how tiles are grouped.
 */
export function chooseConv2d(shape: Conv2dShape, adapter: AdapterProfile): readonly Conv2dVariantName[] {
  const product = fastestProduct(adapter);
  if (isDepthwise(shape)) {
    // Shuffles are cheap where a subgroup is a vector register of the processor.
    return adapter.class === 'lavapipe' ? ['depthwise-subgroup', 'depthwise', 'naive'] : ['depthwise', 'naive'];
  }
  const { inChannels, outChannels, outHeight, outWidth, kernelHeight, kernelWidth } = shape;
  const pixels = outHeight * outWidth;
  const square = kernelHeight === 3 && kernelWidth === 3 && shape.strideY === 1 && shape.strideX === 1;
  const direct: Conv2dVariantName[] = [product, 'direct', 'naive'];
  // Two passes over the tiles pay from some size on; few tiles leave the products too short. Where subgroups transform, the
  // products take 16 tiles at a time.
  const enough = pixels >= (adapter.class === 'lavapipe' ? 256 : 1024);
  if (square && inChannels >= 32 && outChannels >= 32 && enough) return ['winograd4', ...direct];
  if (adapter.class !== 'hardware') return direct;
  // Of few pixels only a batch makes enough tiles, and a deep layer's filters are large: the smaller transform.
  if (square && inChannels >= 128 && outChannels >= 128) return ['winograd2', ...direct];
  return prefersSlices(pixels, outChannels, inChannels * kernelHeight * kernelWidth) ? ['splitk', ...direct] : direct;
}
