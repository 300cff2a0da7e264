import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { makeFolder } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { tinyPng } from '../support/tiny-images.js'

/** A process that does not end by itself is killed then, and the test fails. */
const GIVE_UP_MS = 60_000

const SCRIPT = `
const [dist, storeFolder, baseFolder, image] = process.argv.slice(1)
const load = (path) => import(new URL(path, dist).href)
const { createFileStore } = await load('src/store/file.js')
const { registerBase } = await load('src/extractor/base/register.js')
const { loadBase } = await load('src/extractor/base/load.js')
const { resolveExtractorSpec } = await load('src/extractor/resolve.js')
const { preprocessSchema } = await load('src/extractor/preprocess.js')
const { openExtractor } = await load('src/extractor/extractor.js')
const { readFile } = await import('node:fs/promises')
const store = createFileStore(storeFolder)
const base = await registerBase(store, baseFolder)
const spec = resolveExtractorSpec({
  base, cut: 'pool', pooling: 'none', preprocess: preprocessSchema.parse({}),
  content: { kind: 'image' }, view: { kind: 'plain' }, engine: { name: 'wasm', fixedBatch: null, precision: 'fp32' },
})
const extractor = openExtractor(spec, await loadBase(store, base.baseId), { threads: 2 })
const content = await readFile(image)
const rows = await extractor.rows([{ key: '0'.repeat(64), content }])
await extractor.close()
process.stdout.write(rows[0].ok ? 'features' : rows[0].reason)
`

describe('a process that extracts and closes', () => {
  it('ends by itself: no handle is left open', async () => {
    const folder = await makeFolder()
    const image = join(folder, 'image.png')
    await writeFile(image, tinyPng(0, 1))
    const given = [
      `${pathToFileURL(resolve('dist')).href}/`,
      await makeFolder(),
      await writeTinyBase(join(folder, 'base')),
      image,
    ]
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', SCRIPT, ...given],
      { timeout: GIVE_UP_MS },
    )
    expect(stdout).toBe('features')
  })
})
