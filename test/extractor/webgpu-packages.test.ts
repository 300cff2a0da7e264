// The engine webgpu where its optional packages are not installed: a copy of the compiled project whose
// node_modules lacks them.
import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../support/cli.js'
import { makeFolder } from '../support/folders.js'

const SCRIPT = `
const { probeEngineInThread } = await import(process.argv[1])
await probeEngineInThread('webgpu').catch(({ code, message }) => {
  process.stdout.write(JSON.stringify({ code, message }))
})
`

const projectWithout = async (missing: string): Promise<string> => {
  const folder = await makeFolder()
  await cp(join(PROJECT, 'dist'), join(folder, 'dist'), { recursive: true })
  await cp(join(PROJECT, 'package.json'), join(folder, 'package.json'))
  const scopes = ['', '@tensorflow']
  for (const scope of scopes) {
    const [from, to] = [PROJECT, folder].map((root) => join(root, 'node_modules', scope))
    await mkdir(to ?? '')
    for (const name of await readdir(from ?? ''))
      if (!scopes.includes(name) && join(scope, name) !== missing)
        await symlink(join(from ?? '', name), join(to ?? '', name))
  }
  return folder
}

describe('the engine webgpu', () => {
  it.each(['webgpu', '@tensorflow/tfjs-backend-webgpu'])(
    'without %s says how both packages are installed',
    async (missing) => {
      const pool = join(await projectWithout(missing), 'dist/src/extractor/engines/pool.js')
      const { stdout } = await promisify(execFile)(process.execPath, [
        '--input-type=module',
        '-e',
        SCRIPT,
        pathToFileURL(pool).href,
      ])
      expect(JSON.parse(stdout)).toEqual({
        code: 'ENGINE_UNAVAILABLE',
        message: expect.stringContaining(
          'npm install webgpu@0.6.2 @tensorflow/tfjs-backend-webgpu@4.22.0',
        ),
      })
    },
  )
})
