// Owns a LayersModel without BatchNormalization that predicts the same, so that a later `fit()` of TF.js
// has no layer that would take the statistics of a batch. Refuses normalisations inside of wrappers and
// along another axis than the last.
import { HeadstartError } from '../errors.js'
import {
  type EditableGraph,
  editGraph,
  type LayerJson,
  type Reference,
} from './fold-batchnorm-graph.js'
import {
  type Affine,
  affineOf,
  fixedWeights,
  foldBefore,
  foldBehind,
  takesFactors,
} from './fold-batchnorm-weights.js'
import type { HeadArtifacts } from './types.js'

const CLASS = 'BatchNormalization'

/** What a layer gives at one of its uses, with the batch axis. */
export type ShapeAt = (layer: string, use: number) => readonly (number | null)[]

export interface FoldedModel {
  readonly artifacts: HeadArtifacts
  /** Normalisations that went into the layer before or behind them. */
  readonly folded: readonly string[]
  /** Those that became a fixed 1 x 1 DepthwiseConv2D of the same name. */
  readonly replaced: readonly string[]
}

const impossible = (layer: LayerJson, why: string): HeadstartError =>
  new HeadstartError(
    'EXPORT_IMPOSSIBLE',
    `the BatchNormalization in ${layer.name} cannot be folded: ${why}`,
  )

const holdsNormalisation = (value: unknown): boolean => {
  if (value === null || typeof value !== 'object') return false
  if ('class_name' in value && value.class_name === CLASS) return true
  return Object.values(value).some(holdsNormalisation)
}

const assertFoldable = (layer: LayerJson, shapeAt: ShapeAt): void => {
  if (layer.class_name !== CLASS) {
    if (holdsNormalisation(layer.config)) throw impossible(layer, 'it is inside of another layer')
    return
  }
  const axis = [layer.config.axis ?? -1].flat()
  const rank = shapeAt(layer.name, 0).length
  if (axis.length !== 1 || (axis[0] !== -1 && axis[0] !== rank - 1))
    throw impossible(layer, `its axis is ${JSON.stringify(axis)}, not the last`)
  if (layer.inbound_nodes.some(([input]) => input?.[3]?.training === true))
    throw impossible(layer, 'it is called with training: true')
}

/** What each use of a layer reads, where that is one tensor of the one layer `from`, each use of it once. */
const usesOf = (layer: LayerJson, from: string): number[] | null => {
  const uses = layer.inbound_nodes.map(([input, ...others]) =>
    input?.[0] === from && others.length === 0 ? input[1] : -1,
  )
  return uses.includes(-1) || new Set(uses).size !== uses.length ? null : uses
}

const withBias = (graph: EditableGraph, { name }: LayerJson): void => {
  const layer = graph.layer(name)
  if (layer !== undefined)
    graph.replace(name, [{ ...layer, config: { ...layer.config, use_bias: true } }])
}

const inputOf = (layer: LayerJson): string => layer.inbound_nodes[0]?.[0]?.[0] ?? ''

/** Into the layer before it, where nothing else reads that layer. @returns whether it was possible. */
const intoLayerBefore = (graph: EditableGraph, norm: LayerJson, affine: Affine): boolean => {
  const before = graph.layer(inputOf(norm))
  if (before === undefined || !takesFactors(before)) return false
  const uses = usesOf(norm, before.name)
  const readers = graph.readersOf(before.name)
  if (uses === null || uses.length !== before.inbound_nodes.length) return false
  if (readers.length !== uses.length || !foldBehind(graph, before, affine)) return false
  withBias(graph, before)
  graph.replace(norm.name, [])
  graph.redirect(norm.name, (use): Reference => [before.name, uses[use] ?? 0, 0])
  return true
}

/** Into the Dense layer that alone reads it, and reads nothing else. */
const intoDenseBehind = (graph: EditableGraph, norm: LayerJson, affine: Affine): boolean => {
  const readers = graph.readersOf(norm.name)
  const dense = readers[0]?.layer
  if (dense == null || dense.class_name !== 'Dense') return false
  const uses = usesOf(dense, norm.name)
  if (uses === null || readers.length !== uses.length) return false
  if (uses.length !== norm.inbound_nodes.length || !foldBefore(graph, dense, affine)) return false
  withBias(graph, dense)
  graph.replace(norm.name, [])
  graph.redirect(norm.name, (use) => norm.inbound_nodes[use]?.[0] ?? [norm.name, use, 0])
  return true
}

const reshape = (name: string, target: readonly number[], from: Reference): LayerJson => ({
  name,
  class_name: 'Reshape',
  config: { name, trainable: true, target_shape: [...target] },
  inbound_nodes: [[[from[0], from[1], from[2], {}]]],
})

const fixedLayer = (name: string, inputs: readonly Reference[]): LayerJson => ({
  name,
  class_name: 'DepthwiseConv2D',
  config: {
    name,
    // Statistics are constants: who wants to train them can say so.
    trainable: false,
    kernel_size: [1, 1],
    strides: [1, 1],
    padding: 'valid',
    data_format: 'channels_last',
    dilation_rate: [1, 1],
    depth_multiplier: 1,
    activation: 'linear',
    use_bias: true,
  },
  inbound_nodes: inputs.map(([layer, use, output]) => [[layer, use, output, {}]]),
})

/** A 1 x 1 DepthwiseConv2D under the same name; other ranks than 4 are reshaped to it and back. */
const byFixedLayer = (
  graph: EditableGraph,
  norm: LayerJson,
  affine: Affine,
  shapeAt: ShapeAt,
): void => {
  const { name } = norm
  graph.dropWeights(name)
  for (const [weight, value] of Object.entries(fixedWeights(affine)))
    graph.setWeight(name, weight, value)
  const inputs = norm.inbound_nodes.map(([input]) => input ?? [name, 0, 0])
  const shapes = inputs.map((_, use) => shapeAt(name, use).slice(1))
  if (shapes.every((shape) => shape.length === 3)) {
    graph.replace(name, [fixedLayer(name, inputs as Reference[])])
    return
  }
  const channels = affine.factor.length
  const known = shapes.map((shape) => shape.map((size) => size ?? 0))
  if (known.some((shape) => shape.includes(0)))
    throw impossible(norm, 'its input has no fixed size')
  const before = known.map((shape, use) => {
    const places = shape.reduce((a, b) => a * b, 1) / channels
    return reshape(
      graph.uniqueName(`${name}_in${use === 0 ? '' : use}`),
      [places, 1, channels],
      inputs[use] as Reference,
    )
  })
  const fixed = fixedLayer(
    name,
    before.map((layer): Reference => [layer.name, 0, 0]),
  )
  const after = known.map((shape, use) =>
    reshape(graph.uniqueName(`${name}_out${use === 0 ? '' : use}`), shape, [name, use, 0]),
  )
  graph.replace(name, [...before, fixed, ...after])
  graph.redirect(
    name,
    (use) => [after[use]?.name ?? name, 0, 0],
    after.map((layer) => layer.name),
  )
}

/**
 * A model with the same inputs and outputs and no BatchNormalization. Pure.
 *
 * @param artifacts a flat model, as `composeModel` makes it.
 * @throws EXPORT_IMPOSSIBLE
 */
export const foldBatchNorm = (artifacts: HeadArtifacts, shapeAt: ShapeAt): FoldedModel => {
  const graph = editGraph(artifacts)
  const folded: string[] = []
  const replaced: string[] = []
  for (const layer of graph.layers()) assertFoldable(layer, shapeAt)
  const names = graph.layers().filter(({ class_name }) => class_name === CLASS)
  for (const { name } of names) {
    const norm = graph.layer(name)
    const affine = norm === undefined ? null : affineOf(graph, norm)
    if (norm === undefined || affine === null)
      throw new HeadstartError('EXPORT_FAILED', `the layer ${name} has no statistics`)
    if (intoLayerBefore(graph, norm, affine) || intoDenseBehind(graph, norm, affine)) {
      graph.dropWeights(name)
      folded.push(name)
    } else {
      byFixedLayer(graph, norm, affine, shapeAt)
      replaced.push(name)
    }
  }
  return { artifacts: graph.artifacts(), folded, replaced }
}
