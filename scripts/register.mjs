// Lets plain Node run the TypeScript sources: tsx for `.ts`, and `.wgsl` files imported as text.
import { register } from 'node:module';
import 'tsx/esm';

register('./wgsl-hook.mjs', import.meta.url);
