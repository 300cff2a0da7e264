// Owns the TensorFlow of the tests: the real library, built where the engine can be had at all.
import { buildTensorflow } from '../tensorflow/build.mjs'
import { platformProblem } from '../tensorflow/platform.mjs'

/**
 * @param {string} folder of the build.
 * @returns {Promise<void>}
 */
export const ensureTestTensorflow = async (folder) => {
  const problem = platformProblem()
  if (problem === null) await buildTensorflow({ folder })
  else process.stderr.write(`the engine tensorflow is not offered to the tests: ${problem}\n`)
}
