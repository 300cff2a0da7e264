// Owns SavedModel bases on the engine tensorflow. A SavedModel is native code with the rights of this
// process: it is refused, before TensorFlow sees a byte of it, unless the operator allows it.
import type { NamedTensorMap, Tensor } from '@tensorflow/tfjs-core'
import { HeadstartError, messageOf } from '../../errors.js'
import type { CutPoint } from '../base/load.js'
import type { SavedModelBase } from '../base/loaded-base.js'
import type { EngineSettings } from '../engine-settings.js'
import {
  type BaseInspection,
  cutsOfRequest,
  type Engine,
  type EngineRequest,
  TRIAL_SIDE,
} from './engine.js'
import { withSavedModelFolder } from './saved-model-folder.js'
import { readSignature, type SavedModelSignature, SIGNATURE, TAG } from './saved-model-signature.js'
import { openTensorflow, type Tensorflow } from './tensorflow.js'
import { assertFullPrecision, createBatchEngine } from './tfjs-batches.js'

/** Samples of zeros in the pass that learns the shapes; two tell the batch axis from one of size 1. */
const PROBE_ROWS = 2

/** tfjs-node's own; inputs and outputs by the names of the signature. */
interface Session {
  predict(inputs: NamedTensorMap): NamedTensorMap
  dispose(): void
}
interface SessionLoader {
  loadSavedModel(folder: string, tags: string[], signature: string): Promise<Session>
}

interface Loaded extends SavedModelSignature {
  /** All outputs by name, owned by the caller. */
  run(x: Tensor): NamedTensorMap
  close(): void
}

/** @throws BASE_NOT_ALLOWED */
const assertSavedModelsAllowed = ({ allowSavedModels }: EngineSettings): void => {
  if (!allowSavedModels)
    throw new HeadstartError(
      'BASE_NOT_ALLOWED',
      'the base is a SavedModel: it can run any code with the rights of this process, and the operator has not allowed that (HEADSTART_ALLOW_SAVED_MODELS=1)',
    )
}

const invalid = (error: unknown): HeadstartError =>
  error instanceof HeadstartError
    ? error
    : new HeadstartError('BASE_INVALID', `TensorFlow cannot load the base: ${messageOf(error)}`, {
        cause: error,
      })

const load = async ({ tf, entry }: Tensorflow, base: SavedModelBase): Promise<Loaded> => {
  const { node } = tf.core as unknown as { readonly node: SessionLoader }
  try {
    return await withSavedModelFolder(base, async (folder) => {
      const signature = await readSignature(entry, folder)
      const session = await node.loadSavedModel(folder, [TAG], SIGNATURE)
      return {
        ...signature,
        run: (x) => session.predict({ [signature.input]: x }),
        close: () => session.dispose(),
      }
    })
  } catch (error) {
    throw invalid(error)
  }
}

/** @throws BASE_NOT_ALLOWED, BASE_INVALID, CUT_NOT_FOUND, ENGINE_UNAVAILABLE. */
export const openSavedModel = async (
  request: EngineRequest,
  base: SavedModelBase,
): Promise<Engine> => {
  assertSavedModelsAllowed(request.settings)
  assertFullPrecision(request)
  const tensorflow = await openTensorflow(request.settings)
  const cuts = cutsOfRequest(request).map(({ cut }) => cut)
  const { outputs, run, close } = await load(tensorflow, base)
  const unknown = cuts.find((cut) => !outputs.includes(cut))
  if (unknown !== undefined) {
    close()
    throw new HeadstartError('CUT_NOT_FOUND', `the base has no output ${unknown}`)
  }
  // A run of a signature gives all of its outputs.
  const read = (x: Tensor): Tensor[] => {
    const found = run(x)
    return cuts.map((cut) => found[cut] as Tensor)
  }
  return createBatchEngine(tensorflow, request, { run: read, close })
}

const listOutputs = ({ core }: Tensorflow['tf'], loaded: Loaded): CutPoint[] => {
  const { inputShape, outputs } = loaded
  const zeros = core.zeros([PROBE_ROWS, ...inputShape.map((size) => size ?? TRIAL_SIDE)])
  let found: NamedTensorMap
  try {
    found = loaded.run(zeros)
  } catch (error) {
    throw invalid(error)
  } finally {
    zeros.dispose()
  }
  const anySize = inputShape.includes(null)
  const cuts: CutPoint[] = []
  for (const path of outputs) {
    const tensor = found[path]
    if (tensor?.dtype !== 'float32' || tensor.rank < 2 || tensor.shape[0] !== PROBE_ROWS) continue
    const shape: (number | null)[] = tensor.shape.slice(1)
    // What was seen at one size says nothing of the spatial axes at another.
    if (anySize && shape.length > 1) shape.fill(null, 0, -1)
    cuts.push({ path, className: SIGNATURE, shape })
  }
  core.dispose(found)
  return cuts
}

/**
 * The outputs of the serving signature are what can be cut: tfjs-node runs signatures, not layers.
 *
 * @throws BASE_NOT_ALLOWED, BASE_INVALID, ENGINE_UNAVAILABLE.
 */
export const inspectSavedModel = async (
  base: SavedModelBase,
  settings: EngineSettings,
): Promise<BaseInspection> => {
  assertSavedModelsAllowed(settings)
  const tensorflow = await openTensorflow(settings)
  const loaded = await load(tensorflow, base)
  try {
    const { inputShape, parameters } = loaded
    return { inputShape, parameters, cuts: listOutputs(tensorflow.tf, loaded) }
  } finally {
    loaded.close()
  }
}
