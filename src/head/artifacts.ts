// Owns the serialised head: LayersModel <-> HeadArtifacts.
// Refuses weights of another length, values that are not finite, and specs that do not fit the model.
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { HeadstartError, messageOf } from '../errors.js'
import { modelFromTopology, type OwnedModel } from './topology.js'
import type { HeadArtifacts } from './types.js'

const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1)

const firstNotFinite = (values: Float32Array): number => {
  for (let index = 0; index < values.length; index += 1) {
    if (!Number.isFinite(values[index])) return index
  }
  return -1
}

/** The weights of a model in order, copied out. Not inside tf.tidy. */
export const readWeights = (model: LayersModel): Float32Array[] =>
  model.weights.map((weight) => weight.read().dataSync<'float32'>().slice())

/**
 * The artifacts of a model. Weight names are the layers' own, never those that TF.js makes unique in
 * a process, so the same training gives the same bytes. Initializers in the topology are without
 * effect: the weights are in it.
 *
 * @param values the weights in the order of `model.weights`, e.g. of `readWeights`.
 */
export const headArtifactsOf = (
  model: LayersModel,
  values: readonly Float32Array[],
): HeadArtifacts => {
  const weightSpecs = model.weights.map((weight) => ({
    name: weight.originalName,
    shape: weight.shape as number[],
    dtype: 'float32' as const,
  }))
  const bytes = values.map(
    (value) => new Uint8Array(value.buffer, value.byteOffset, value.byteLength),
  )
  return {
    // Through text: what is kept is plain JSON.
    topology: JSON.parse(JSON.stringify(model.toJSON(null, false))) as unknown,
    weightSpecs,
    weights: new Uint8Array(Buffer.concat(bytes)),
  }
}

const corrupt = (message: string): HeadstartError => new HeadstartError('STORE_CORRUPT', message)

/** One finite block a spec, or STORE_CORRUPT. */
const weightValues = (artifacts: HeadArtifacts): Float32Array[] => {
  const { weightSpecs, weights } = artifacts
  const expected = weightSpecs.reduce((total, spec) => total + 4 * sizeOf(spec.shape), 0)
  if (weights.byteLength !== expected) {
    throw corrupt(`the head has ${weights.byteLength} bytes of weights, ${expected} are declared`)
  }
  // A copy: the bytes may lie unaligned in a larger buffer.
  const all = new Float32Array(weights.slice().buffer)
  const bad = firstNotFinite(all)
  if (bad >= 0) throw corrupt(`weight ${bad} of the head is not finite`)
  let offset = 0
  return weightSpecs.map((spec) => {
    const begin = offset
    offset += sizeOf(spec.shape)
    return all.subarray(begin, offset)
  })
}

const setWeights = (model: LayersModel, artifacts: HeadArtifacts, values: Float32Array[]): void => {
  const byName = new Map(artifacts.weightSpecs.map((spec, index) => [spec.name, index]))
  const count = model.weights.length
  if (artifacts.weightSpecs.length !== count || byName.size !== count) {
    throw new HeadstartError(
      'HEAD_INVALID',
      `the head has ${artifacts.weightSpecs.length} weights, its topology ${count}`,
    )
  }
  for (const weight of model.weights) {
    const index = byName.get(weight.originalName)
    const spec = index === undefined ? undefined : artifacts.weightSpecs[index]
    const value = index === undefined ? undefined : values[index]
    if (spec === undefined || value === undefined) {
      throw new HeadstartError('HEAD_INVALID', `the head lacks the weight "${weight.originalName}"`)
    }
    if (spec.shape.join() !== weight.shape.join()) {
      throw new HeadstartError(
        'HEAD_INVALID',
        `weight "${spec.name}" has shape [${spec.shape}], its layer wants [${weight.shape}]`,
      )
    }
    const tensor = tf.tensor(value, spec.shape as number[], 'float32')
    weight.write(tensor)
    tensor.dispose()
  }
}

/**
 * The model of artifacts. The backend must be ready; the caller disposes the result.
 *
 * @throws STORE_CORRUPT for weight bytes, HEAD_INVALID for the topology.
 */
export const modelFromArtifacts = async (artifacts: HeadArtifacts): Promise<OwnedModel> => {
  const values = weightValues(artifacts)
  const { topology } = artifacts
  if (topology === null || typeof topology !== 'object' || Array.isArray(topology)) {
    throw new HeadstartError('HEAD_INVALID', 'the topology of the head is no JSON object')
  }
  const owned = await modelFromTopology(topology as Record<string, unknown>)
  try {
    setWeights(owned.model, artifacts, values)
    return owned
  } catch (error) {
    owned.dispose()
    if (error instanceof HeadstartError) throw error
    throw new HeadstartError('HEAD_INVALID', `the head cannot be loaded: ${messageOf(error)}`)
  }
}
