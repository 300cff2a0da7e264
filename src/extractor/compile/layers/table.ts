// Owns the table from the class of a layer to the function that compiles it.
import { ACTIVATION_LAYERS } from './activation.js'
import { CONVOLUTION_LAYERS } from './convolution.js'
import type { CompileLayer } from './layer-call.js'
import { MERGE_LAYERS } from './merge.js'
import { NORMALISATION_LAYERS } from './normalisation.js'
import { POOLING_LAYERS } from './pooling.js'
import { SHAPE_LAYERS } from './shape.js'

const LAYERS: Readonly<Record<string, CompileLayer>> = {
  ...ACTIVATION_LAYERS,
  ...CONVOLUTION_LAYERS,
  ...MERGE_LAYERS,
  ...NORMALISATION_LAYERS,
  ...POOLING_LAYERS,
  ...SHAPE_LAYERS,
}

export const compilerOf = (className: string): CompileLayer | undefined =>
  Object.hasOwn(LAYERS, className) ? LAYERS[className] : undefined
