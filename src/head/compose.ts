// Owns the composed model: base cut, pooling and head as one flat LayersModel that plain
// `tf.loadLayersModel` loads. Refuses GraphModels, which have no layers, and poolings without a layer.
import * as converter from '@tensorflow/tfjs-converter'
import * as core from '@tensorflow/tfjs-core'
import * as tfLayers from '@tensorflow/tfjs-layers'
import {
  input,
  type LayersModel,
  layers,
  model as makeModel,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers'
import { HeadstartError, messageOf } from '../errors.js'
import type { TfjsBase } from '../extractor/base/loaded-base.js'
import { loadTfjsModel, type Tfjs } from '../extractor/engines/tfjs.js'
import { cutLayersModel } from '../extractor/engines/tfjs-cut.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import { headArtifactsOf, modelFromArtifacts } from './artifacts.js'
import { ensureHeadBackend } from './backend.js'
import { type FoldedModel, foldBatchNorm } from './fold-batchnorm.js'
import { createGraphCopy, type GraphCopy } from './replay.js'
import type { HeadArtifacts } from './types.js'

const TFJS: Tfjs = { core, layers: tfLayers, converter }

export interface ComposeRequest {
  readonly base: TfjsBase
  readonly cut: string
  readonly pooling: ExtractorSpec['pooling']
  /** Shape of one input of the base, normalised float32, every axis known. */
  readonly inputShape: readonly number[]
  readonly head: HeadArtifacts
}

type Pooling = Exclude<ExtractorSpec['pooling'], 'none'>

const poolingLayer = (pooling: Pooling, rank: number, name: string): layers.Layer => {
  const args = { name, dataFormat: 'channelsLast' as const }
  if (rank === 3)
    return pooling === 'avg'
      ? layers.globalAveragePooling1d({ name })
      : layers.globalMaxPooling1d({ name })
  if (rank === 4)
    return pooling === 'avg' ? layers.globalAveragePooling2d(args) : layers.globalMaxPooling2d(args)
  throw new HeadstartError(
    'CUT_UNUSABLE',
    `TF.js has no layer for ${pooling} pooling over ${rank - 2} axes, so the model cannot be composed`,
  )
}

const pooled = (x: SymbolicTensor, pooling: ComposeRequest['pooling'], copy: GraphCopy) => {
  if (pooling === 'none' || x.shape.length < 3) return x
  const layer = poolingLayer(pooling, x.shape.length, copy.uniqueName(`features_${pooling}`))
  return layer.apply(x) as SymbolicTensor
}

/** Features in the shape that the head takes: the same values in the same order. */
const shapedFor = (x: SymbolicTensor, head: LayersModel, copy: GraphCopy): SymbolicTensor => {
  const wanted = (head.inputs[0] as SymbolicTensor).shape.slice(1) as number[]
  if (wanted.join() === x.shape.slice(1).join()) return x
  const layer =
    wanted.length === 1
      ? layers.flatten({ name: copy.uniqueName('features_flat') })
      : layers.reshape({ targetShape: wanted, name: copy.uniqueName('features_shape') })
  return layer.apply(x) as SymbolicTensor
}

const build = (
  cut: LayersModel,
  head: LayersModel,
  request: ComposeRequest,
  copy: GraphCopy,
): LayersModel => {
  const name = copy.uniqueName(cut.inputNames[0] ?? 'input')
  const x = input({ shape: [...request.inputShape], name })
  const features = pooled(copy.replay(cut, x), request.pooling, copy)
  const outputs = copy.replay(head, shapedFor(features, head, copy))
  return makeModel({ inputs: x, outputs, name: 'headstart' })
}

const artifactsOf = (model: LayersModel, copy: GraphCopy): HeadArtifacts => {
  const names = model.weights.map((weight) => weight.originalName)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`two weights are called ${twice}`)
  const sources = copy.sources()
  const values = model.weights.map((weight) => {
    const source = sources.get(weight)
    if (source === undefined) throw new Error(`the weight ${weight.originalName} has no value`)
    return source.read().dataSync<'float32'>().slice()
  })
  return headArtifactsOf(model, values)
}

const failed = (error: unknown): HeadstartError =>
  error instanceof HeadstartError
    ? error
    : new HeadstartError('EXPORT_FAILED', `the model cannot be composed: ${messageOf(error)}`, {
        cause: error,
      })

/** A model's `dispose` counts uses and may keep weights of shared layers: free each once. */
const disposeWeights = (model: LayersModel): void => {
  for (const weight of new Set(model.weights)) weight.dispose()
}

const composeAs = async <T>(
  request: ComposeRequest,
  finish: (model: LayersModel, artifacts: HeadArtifacts) => T,
): Promise<T> => {
  await ensureHeadBackend()
  if (request.base.format !== 'layers-model')
    throw new HeadstartError('CUT_UNUSABLE', 'a GraphModel has no layers to compose a model of')
  const head = await modelFromArtifacts(request.head)
  const copy = createGraphCopy()
  let base: LayersModel | undefined
  try {
    const loaded = await loadTfjsModel(TFJS, request.base)
    if (loaded.format !== 'layers-model') throw new Error('the base is no LayersModel')
    base = loaded.model
    const cut = cutLayersModel(TFJS, base, request.cut)
    const model = build(cut, head.model, request, copy)
    return finish(model, artifactsOf(model, copy))
  } catch (error) {
    throw failed(error)
  } finally {
    copy.dispose()
    head.dispose()
    if (base !== undefined) disposeWeights(base)
  }
}

/**
 * Input of the base (normalised float32) -> cut -> pooling -> head. Names of the base's layers stay;
 * a layer of the head, or of a nested model, whose name is taken gets a number behind it. Everything
 * that is allocated is freed before it returns.
 *
 * @throws CUT_NOT_FOUND, CUT_UNUSABLE, HEAD_INVALID, STORE_CORRUPT, EXPORT_FAILED.
 */
export const composeModel = (request: ComposeRequest): Promise<HeadArtifacts> =>
  composeAs(request, (_, artifacts) => artifacts)

/**
 * The same without BatchNormalization, of base and head.
 *
 * @throws EXPORT_IMPOSSIBLE, and what composeModel throws.
 */
export const composeFoldedModel = (request: ComposeRequest): Promise<FoldedModel> =>
  composeAs(request, (model, artifacts) =>
    foldBatchNorm(
      artifacts,
      (layer, use) => (model.getLayer(layer).getOutputAt(use) as SymbolicTensor).shape,
    ),
  )

/** Shape of one input of a head, without the batch axis. @throws STORE_CORRUPT, HEAD_INVALID. */
export const headInputShapeOf = async (artifacts: HeadArtifacts): Promise<readonly number[]> => {
  await ensureHeadBackend()
  const { model, dispose } = await modelFromArtifacts(artifacts)
  dispose()
  return (model.inputs[0] as SymbolicTensor).shape.slice(1) as number[]
}
