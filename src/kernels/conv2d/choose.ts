import type { AdapterProfile } from '../../engine/adapter.js';
import { fastestProduct } from '../product/product.js';
import type { Conv2dShape } from './shape.js';

/** Names of the convolution's variants. */
export type Conv2dVariantName = 'naive' | 'direct' | 'subgroup' | 'subgroup-f16' | 'shared' | 'splitk';

/** The default variants for a shape on an adapter, best first: the first that applies is taken. */
export function chooseConv2d(_shape: Conv2dShape, adapter: AdapterProfile): readonly Conv2dVariantName[] {
  return [fastestProduct(adapter), 'direct', 'naive'];
}
