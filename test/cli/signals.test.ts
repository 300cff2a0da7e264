// What ends a command from outside: Ctrl-C, SIGTERM, a reader that goes away.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { documentOf, PROJECT, runJson, startCli } from '../support/cli.js'
import { makeFolder, until } from '../support/folders.js'
import { type FolderServer, serveFolder } from '../support/http-folder.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { writeTinyImages } from '../support/tiny-images.js'

/** Longer than any of it takes, shorter than what would end it otherwise. */
const SOON_MS = 60_000

let cwd: string
beforeAll(async () => {
  cwd = await makeFolder()
  await writeTinyBase(join(cwd, 'base'))
  await writeTinyImages(join(cwd, 'images'), 4)
  const head = ['--head', 'linear', '--epochs', '2', '--name', 'colours']
  await runJson(['train', '--base', 'base', '--cut', 'pool', '--dataset', 'images', ...head], {
    cwd,
  })
})

const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const

describe.each(SIGNALS)('%s', (signal, code) => {
  let server: FolderServer | undefined
  afterEach(() => server?.stop())

  it(`stops predict while it waits for paths, with ${code}`, { timeout: SOON_MS }, async () => {
    const cli = startCli(['predict', 'colours', '-'], { cwd, keepInput: true })
    // A first answer shows that it waits for more.
    cli.child.stdin?.write('images/blue/0.png\n'.repeat(4000))
    await until(async () => cli.stdout().includes('images/blue/0.png'))
    cli.child.kill(signal)
    const result = await cli.finished
    expect(result.code, result.stderr).toBe(code)
    expect(result.stderr).toContain('error INTERRUPTED')
  })

  it(`stops base add while the server is silent, with ${code}`, { timeout: SOON_MS }, async () => {
    server = await serveFolder(cwd, { '/silent/model.json': () => undefined })
    const cli = startCli(['base', 'add', `${server.url}/silent`, '--json'], { cwd })
    await until(async () => (server?.asked.length ?? 0) > 0)
    cli.child.kill(signal)
    const result = await cli.finished
    expect(result.code, result.stderr).toBe(code)
    expect(documentOf(result)).toMatchObject({ error: { code: 'INTERRUPTED' } })
  })
})

it('without any path and interrupted, predict says INTERRUPTED and nothing else', async () => {
  const cli = startCli(['predict', 'colours', '-', '--json'], { cwd, keepInput: true })
  // Empty lines are no paths. More of them than a pipe holds: it reads when all are written.
  await new Promise((resolve) => cli.child.stdin?.write('\n'.repeat(4 * 2 ** 20), resolve))
  cli.child.kill('SIGINT')
  const result = await cli.finished
  expect(result.code, result.stderr).toBe(130)
  expect(documentOf(result)).toMatchObject({ error: { code: 'INTERRUPTED' } })
})

describe('a reader that goes away', () => {
  it.each([
    ['stdout of --json', ['predict', 'colours', 'images', '--json'], 'stdout'],
    ['stdout of lines', ['predict', 'colours', 'images'], 'stdout'],
    ['stderr', ['predict', 'none', 'images'], 'stderr'],
  ] as const)('ends the command quietly with 141: %s', async (_, args, stream) => {
    const cli = startCli(args, { cwd })
    cli.child[stream]?.destroy()
    const { code, stdout, stderr } = await cli.finished
    expect(stdout + stderr).toBe('')
    expect(code).toBe(141)
  })

  it('is not the business of the wasm backend: it leaves no listener on the process', async () => {
    const backend = pathToFileURL(join(PROJECT, 'dist/src/head/backend.js')).href
    const wasm = pathToFileURL(join(PROJECT, 'dist/src/extractor/engines/wasm.js')).href
    const counts = `['uncaughtException', 'unhandledRejection'].map((e) => process.listenerCount(e))`
    for (const start of [
      `(await import('${backend}')).ensureHeadBackend()`,
      `(await import('${wasm}')).openWasm({ device: 'auto' })`,
    ]) {
      const script = `await ${start}; console.log(JSON.stringify(${counts}))`
      const args = ['--input-type=module', '-e', script]
      const { stdout } = await promisify(execFile)(process.execPath, args)
      expect(JSON.parse(stdout)).toEqual([0, 0])
    }
  })
})
