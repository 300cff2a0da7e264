// The command that builds the engine tensorflow, where it has nothing to build or must refuse to. That it
// builds a TensorFlow that works is what every other test of the engine shows.
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type CliResult, PROJECT, startProcess } from '../support/cli.js'
import { filesBelow, makeFolder } from '../support/folders.js'
import { tensorflowFolder, tensorflowProblem } from '../support/tensorflow.js'

const SCRIPT = join(PROJECT, 'scripts/build-tensorflow.mjs')

const build = async (...args: readonly string[]): Promise<CliResult> =>
  startProcess(process.execPath, [SCRIPT, ...args], { cwd: await makeFolder() }).finished

const emptyZip = Buffer.concat([Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(18)])

describe('the build of TensorFlow', () => {
  it('explains itself', async () => {
    const { code, stdout } = await build('--help')
    expect(code).toBe(0)
    for (const word of ['--to', '--wheel', '--gpu', 'HEADSTART_TENSORFLOW'])
      expect(stdout).toContain(word)
  })

  it('refuses options that it does not know', async () => {
    const { code, stderr } = await build('--cuda')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^build failed: .*--cuda/)
  })

  if (tensorflowProblem !== null)
    it('says why it cannot be done here', async () => {
      const { code, stderr } = await build('--to', await makeFolder())
      expect(code).toBe(1)
      expect(stderr).toContain(tensorflowProblem)
    })
  else {
    it('is done once: a finished one is left as it is', async () => {
      const manifest = join(tensorflowFolder(), 'headstart-tensorflow.json')
      const before = await stat(manifest)
      const { code, stdout, stderr } = await build('--to', tensorflowFolder())
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(/^tfjs 4\.22\.0 on TensorFlow 2\.\d+\.\d+: HEADSTART_TENSORFLOW=/)
      expect((await stat(manifest)).mtimeMs).toBe(before.mtimeMs)
    })

    it("leaves somebody else's folder alone", async () => {
      const folder = await makeFolder()
      await writeFile(join(folder, 'package.json'), '{ "name": "mine" }')
      await writeFile(join(folder, 'python'), 'mine')
      const { code, stderr } = await build('--to', folder)
      expect(code).toBe(1)
      expect(stderr).toContain(`${folder} has other files in it`)
      expect(await filesBelow(folder)).toEqual(['package.json', 'python'])
      expect(await readFile(join(folder, 'python'), 'utf8')).toBe('mine')
    })

    it.each([
      ['is no wheel', Buffer.from('text'), 'damaged, or no wheel'],
      ['has no TensorFlow', emptyZip, 'has not the two libraries'],
    ])('refuses a file that %s, and records no build', async (_, bytes, said) => {
      const folder = await makeFolder()
      const wheel = join(await makeFolder(), 'some.whl')
      await writeFile(wheel, bytes)
      const { code, stderr } = await build('--to', folder, '--wheel', wheel)
      expect(code).toBe(1)
      expect(stderr).toContain(said)
      expect(await filesBelow(folder)).not.toContain('headstart-tensorflow.json')
    })
  }
})
