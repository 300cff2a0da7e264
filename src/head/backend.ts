// Owns the TF.js backend of this process for heads: wasm, set up once.
// Refuses nothing: a backend that the caller chose before (e.g. tensorflow) is left in place.
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { HeadstartError, messageOf } from '../errors.js'
import { startWasmQuietly } from '../extractor/engines/wasm-process.js'
import { registerFastMatMulGradient } from './matmul-gradient.js'

const setUp = async (): Promise<void> => {
  try {
    if (!tf.getBackend()) {
      const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')
      setWasmPaths(`${dirname(entry)}/`)
      if (!(await startWasmQuietly(() => tf.setBackend('wasm'))))
        throw new Error('the wasm backend did not start')
    }
    await tf.ready()
  } catch (cause) {
    throw new HeadstartError('ENGINE_UNAVAILABLE', `TF.js cannot start: ${messageOf(cause)}`, {
      cause,
    })
  }
  registerFastMatMulGradient()
}

let ready: Promise<void> | undefined

/** Makes TF.js ready to train and predict heads. Safe to call often and at once. */
export const ensureHeadBackend = (): Promise<void> => {
  ready ??= setUp()
  return ready
}
