// What is written to stdout, in processes of their own: all of it, and nothing beside it.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { PROJECT, startProcess } from '../support/cli.js'

const OUTPUT = pathToFileURL(join(PROJECT, 'dist/src/cli/output.js')).href
/** More than a pipe holds. */
const TEXT_LENGTH = 2 ** 20

it('a command with many engine threads waits for its reader without a warning', async () => {
  // Node connects the output of every thread to that of the process.
  const script = `
    import { Worker } from 'node:worker_threads'
    import { endOnClosedPipe, writeOut } from '${OUTPUT}'
    endOnClosedPipe()
    const idle = () => new Worker('setInterval(() => undefined, 1000)', { eval: true })
    const threads = Array.from({ length: 16 }, idle)
    for (let i = 0; i < 3; i += 1) await writeOut('x'.repeat(${TEXT_LENGTH}))
    await Promise.all(threads.map((thread) => thread.terminate()))`
  const args = ['--input-type=module', '-e', script]
  const { code, stdout, stderr } = await startProcess(process.execPath, args, { cwd: PROJECT })
    .finished
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toHaveLength(3 * TEXT_LENGTH)
})
