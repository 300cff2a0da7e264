// Owns which tfjs-node is used: that of the folder that the operator names, else the installed one,
// preferring what can use a GPU. A folder that is named is never replaced by something else.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { HeadstartError } from '../../errors.js'
import type { EngineSettings } from '../engine-settings.js'

const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const

type Where = Pick<EngineSettings, 'tensorflowFolder'>

/** @returns the path of the package's entry; null when there is none. */
export const findTensorflowPackage = ({ tensorflowFolder: folder }: Where): string | null => {
  const require = createRequire(folder === null ? import.meta.url : join(folder, 'package.json'))
  for (const name of PACKAGES) {
    // Node would go on to look in the folders above.
    if (folder !== null && !existsSync(join(folder, 'node_modules', name))) continue
    try {
      return require.resolve(name)
    } catch {
      // Not installed: the next one may be.
    }
  }
  return null
}

/** Why there is no package, and what to do. */
export const tensorflowMissing = ({ tensorflowFolder }: Where): HeadstartError =>
  new HeadstartError(
    'ENGINE_UNAVAILABLE',
    tensorflowFolder === null
      ? `the engine tensorflow needs ${PACKAGES.join(' or ')}, and neither is installed`
      : `HEADSTART_TENSORFLOW is ${tensorflowFolder}, and there is no build of tfjs-node in it`,
    {
      details: [
        `node scripts/build-tensorflow.mjs --to ${tensorflowFolder ?? '<folder>'} makes one; docs/tensorflow.md says more`,
      ],
    },
  )
