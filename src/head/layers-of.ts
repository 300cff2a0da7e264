// Owns walking a model: every layer in order, those in nested models and wrappers too.
import type { LayersModel, layers } from '@tensorflow/tfjs-layers'

interface Holder {
  readonly layers?: readonly layers.Layer[]
  readonly layer?: layers.Layer
}

export const layersOf = (model: LayersModel | layers.Layer): layers.Layer[] => {
  const { layers: inner = [], layer } = model as unknown as Holder
  const direct = layer === undefined ? inner : [...inner, layer]
  return direct.flatMap((child) => [child, ...layersOf(child)])
}
