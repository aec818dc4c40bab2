import type { HostTensor, NamedTensors } from '../../engine/tensor.js';
import { mobilenetV2Blocks, mobilenetV2Head, mobilenetV2Stem, type ConvolutionUnit } from './mobilenet-v2-layout.js';

/** Tensors by which the start of a network is found, whatever stands in front of their names. */
const landmarks = ['layer1.0.conv1.weight', 'features.0.0.weight', 'conv_stem.weight'];

/** What no backbone graph uses: the classifier, and a counter of training steps. */
const unused = /^(fc|classifier|head)\.|(^|\.)num_batches_tracked$/;

/** Tensors of a batch norm or convolution. */
const parts = ['weight', 'bias', 'running_mean', 'running_var'];

/**
 * Renames to torchvision's names: takes off a prefix that wrappers add (`module.`, `backbone.`, `model.encoder.`), translates timm's
 * MobileNetV2, and leaves out the classifier and counters. What is not known keeps its name.
 */
export function torchvisionNames(tensors: NamedTensors): Map<string, HostTensor> {
  const prefix = wrapperPrefix(tensors);
  const timm = timmMobilenetV2Names();
  const renamed = new Map<string, HostTensor>();
  for (const [fullName, tensor] of tensors) {
    if (!fullName.startsWith(prefix)) continue;
    const name = fullName.slice(prefix.length);
    if (!unused.test(name))
      renamed.set(tensors.has(`${prefix}conv_stem.weight`) ? (timm.get(name) ?? name) : name, tensor);
  }
  return renamed;
}

/** The shortest prefix in front of a landmark; empty if there is no landmark. */
function wrapperPrefix(tensors: NamedTensors): string {
  const prefixes: string[] = [];
  for (const name of tensors.keys()) {
    for (const landmark of landmarks) {
      const prefix = name.slice(0, -landmark.length);
      if (name.endsWith(landmark) && (prefix === '' || prefix.endsWith('.'))) prefixes.push(prefix);
    }
  }
  return prefixes.sort((a, b) => a.length - b.length)[0] ?? '';
}

/** From timm's names of MobileNetV2's tensors to torchvision's: `blocks.<stage>.<repeat>` counts within a stage. */
function timmMobilenetV2Names(): Map<string, string> {
  const names = new Map<string, string>();
  const add = (conv: string, batchNorm: string, unit: ConvolutionUnit): void => {
    names.set(`${conv}.weight`, `${unit.conv}.weight`);
    names.set(`${conv}.bias`, `${unit.conv}.bias`);
    for (const part of parts) names.set(`${batchNorm}.${part}`, `${unit.batchNorm}.${part}`);
  };
  add('conv_stem', 'bn1', mobilenetV2Stem);
  add('conv_head', 'bn2', mobilenetV2Head);
  let stage = -1;
  let repeat = 0;
  for (const block of mobilenetV2Blocks) {
    // A stage begins where a block changes the channels, which is also where it has no residual.
    repeat = block.residual ? repeat + 1 : 0;
    if (repeat === 0) stage++;
    const name = `blocks.${stage}.${repeat}`;
    if (block.expand) {
      add(`${name}.conv_pw`, `${name}.bn1`, block.expand);
      add(`${name}.conv_dw`, `${name}.bn2`, block.depthwise);
      add(`${name}.conv_pwl`, `${name}.bn3`, block.project);
    } else {
      add(`${name}.conv_dw`, `${name}.bn1`, block.depthwise);
      add(`${name}.conv_pw`, `${name}.bn2`, block.project);
    }
  }
  return names;
}
