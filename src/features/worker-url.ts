// Owns where this package lies, and its compiled thread and process entries: dist/workers/<name>.js.
import { existsSync } from 'node:fs'
import { HeadstartError } from '../errors.js'

/** The folder of this package's manifest, the same from `src/**.ts` (tests) and `dist/src/**.js`. */
export const packageRoot = (): URL => {
  let folder = new URL('./', import.meta.url)
  while (!existsSync(new URL('package.json', folder))) {
    const parent = new URL('../', folder)
    if (parent.href === folder.href)
      throw new HeadstartError('INTERNAL', `no package.json above ${import.meta.url}`)
    folder = parent
  }
  return folder
}

/** URL of a compiled entry. */
export const workerUrl = (name: string): URL => new URL(`dist/workers/${name}.js`, packageRoot())
