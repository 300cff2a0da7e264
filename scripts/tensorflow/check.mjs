// Owns the proof that a build works: loads it in this process, multiplies two matrices and prints
// what it is as JSON. Started as a child: `node check.mjs <folder>`.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import util from 'node:util'

const [folder] = process.argv.slice(2)
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'
// Node 23 removed helpers that tfjs-node 4.22 still calls.
util.isNullOrUndefined ??= (value) => value === null || value === undefined
util.isArray ??= Array.isArray

const tf = createRequire(join(folder, 'package.json'))('@tensorflow/tfjs-node')
await tf.ready()
const product = tf.matMul([[1, 2, 3]], [[4], [5], [6]]).dataSync()[0]
if (tf.getBackend() !== 'tensorflow' || product !== 32)
  throw new Error(`the backend ${tf.getBackend()} says that 1*4 + 2*5 + 3*6 is ${product}`)
process.stdout.write(
  `${JSON.stringify({ tensorflow: tf.backend().binding.TF_Version, tfjs: tf.version['tfjs-core'] })}\n`,
)
