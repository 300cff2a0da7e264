// Owns where compiled thread and process entries lie: dist/workers/<name>.js of this package.
import { existsSync } from 'node:fs'
import { HeadstartError } from '../errors.js'

/**
 * URL of a compiled entry, the same from `src/**.ts` (tests) and from `dist/src/**.js`.
 *
 * @throws INTERNAL when this file lies in no package.
 */
export const workerUrl = (name: string): URL => {
  let folder = new URL('./', import.meta.url)
  while (!existsSync(new URL('package.json', folder))) {
    const parent = new URL('../', folder)
    if (parent.href === folder.href) {
      throw new HeadstartError('INTERNAL', `no package.json above ${import.meta.url}`)
    }
    folder = parent
  }
  return new URL(`dist/workers/${name}.js`, folder)
}
