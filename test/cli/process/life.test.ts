// The life of a process that serves, in processes of their own.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { PROJECT, type RunningCli, startProcess } from '../../support/cli.js'
import { until } from '../../support/folders.js'

const LIFE = pathToFileURL(join(PROJECT, 'dist/src/cli/process/life.js')).href

/** `a` and `b` are opened; `a` is slow to close. */
const start = (body = ''): RunningCli => {
  const script = `
    import { setTimeout as sleep } from 'node:timers/promises'
    import { liveUntilSignal } from '${LIFE}'
    const say = (text) => console.log(text)
    const keepAlive = setInterval(() => undefined, 1000)
    await liveUntilSignal('farewell', async ({ signal, opened }) => {
      opened(async () => { say('closing a'); await sleep(SLOW_MS); say('a closed') }, async () => say('a killed'))
      ${body}
      opened(async () => say('b closed'), async () => say('b killed'))
      say('ready')
    }).catch(({ message }) => say('failed: ' + message))
    clearInterval(keepAlive)`
  const slow = script.replace('SLOW_MS', body.includes('slow') ? '60000' : '10')
  return startProcess(process.execPath, ['--input-type=module', '-e', slow], { cwd: PROJECT })
}

const isReady = (process: RunningCli) => until(async () => process.stdout().includes('ready\n'))

describe('a process that serves', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('closes the last first on %s, and ends with %i', async (signal, code) => {
    const process = start()
    await isReady(process)
    process.child.kill(signal)
    const result = await process.finished
    expect(result.code, result.stderr).toBe(code)
    expect(result.stdout).toBe('ready\nb closed\nclosing a\na closed\n')
    expect(result.stderr).toBe(`\n${signal}: farewell\n`)
  })

  it('kills all at once on the second signal', async () => {
    const process = start('/* slow */')
    await isReady(process)
    process.child.kill('SIGINT')
    await until(async () => process.stdout().includes('closing a'))
    process.child.kill('SIGTERM')
    const { code, stdout } = await process.finished
    expect(code).toBe(143)
    expect(stdout).toBe('ready\nb closed\nclosing a\na killed\nb killed\n')
  })

  it('closes what was opened when the start fails', async () => {
    const { code, stdout } = await start(`throw new Error('no port')`).finished
    expect(code).toBe(0)
    expect(stdout).toBe('closing a\na closed\nfailed: no port\n')
  })

  it('closes the rest when something does not close, and says what', async () => {
    const process = start(`opened(() => Promise.reject(new Error('stuck')))`)
    await isReady(process)
    process.child.kill('SIGINT')
    const { stdout, stderr } = await process.finished
    expect(stdout).toContain('a closed')
    expect(stderr).toContain('not closed in order: stuck')
  })
})
