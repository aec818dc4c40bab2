import type { AdapterProfile } from '../../engine/adapter.js';
import type { Conv2dShape } from './shape.js';

/** Names of the convolution's variants. */
export type Conv2dVariantName = 'naive';

/** The default variant for a shape on an adapter, best first: the first that applies is taken. */
export function chooseConv2d(_shape: Conv2dShape, _adapter: AdapterProfile): readonly Conv2dVariantName[] {
  return ['naive'];
}
