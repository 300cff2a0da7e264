// Owns the version of this package, read once from its manifest.
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { packageRoot } from './features/worker-url.js'

export const VERSION = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('package.json', packageRoot()), 'utf8'))).version
