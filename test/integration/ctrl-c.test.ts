// Ctrl-C as people press it: through a terminal, on real images.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { prepareBase, prepareEmoji } from '../../examples/samples/prepare.mjs'
import { CLI_FILE, runJson, startCli, startProcess } from '../support/cli.js'
import { filesBelow, makeFolder, until } from '../support/folders.js'
import { samplesKept } from './state.js'

// Many more batches than are in work at once, so that Ctrl-C always finds some that are not begun.
const SAMPLES = 9 * 14
let inputs: string

const extractArguments = (): string[] => [
  'extract',
  ...['--base', join(inputs, 'base'), '--cut', 'flatten_1', '--dataset', join(inputs, 'images')],
]

beforeAll(async () => {
  inputs = await makeFolder()
  await prepareBase('mobilenet_v2', join(inputs, 'base'))
  await prepareEmoji(join(inputs, 'images'), { limitPerClass: SAMPLES / 9 })
})

/** The count that the progress bar shows last. */
const drawnCount = (screen: string): number =>
  Number([...screen.matchAll(/extract \[[= ]*\] (\d+)\/\d+/g)].at(-1)?.[1] ?? 0)

it('stops at a terminal after the batches in work, and the next call computes only the rest', async () => {
  const cwd = await makeFolder()
  const command = [process.execPath, CLI_FILE, ...extractArguments()].join(' ')
  let screen = ''
  // `script` gives the command a terminal of its own and types what it reads from stdin.
  const terminal = startProcess('script', ['-qefc', command, '/dev/null'], { cwd, keepInput: true })
  terminal.child.stdout?.on('data', (text: string) => (screen += text))
  await until(async () => drawnCount(screen) > 0 || terminal.child.exitCode !== null)
  terminal.child.stdin?.write('\x03')
  const { code } = await terminal.finished
  expect(screen).toMatch(/extract \[[= ]{28}\] \d+\/126 /)
  expect(screen).toContain('stopping after this batch')
  expect(screen).toContain('error INTERRUPTED')
  expect(code).toBe(130)

  const kept = await samplesKept(cwd)
  expect(kept).toBeGreaterThan(0)
  expect(kept).toBeLessThan(SAMPLES)
  const { featureSets } = await runJson<{ featureSets: object[] }>(extractArguments(), { cwd })
  expect(featureSets).toMatchObject([{ computed: SAMPLES - kept, reused: kept }])
})

it('pressed twice stops at once, and the next call works', async () => {
  const cwd = await makeFolder()
  const cli = startCli(extractArguments(), { cwd })
  const extractors = join(cwd, '.headstart/store/extractors')
  await until(async () => (await filesBelow(extractors)).length > 0)
  // Into the first batches, so that there is something to wait for.
  await sleep(300)
  cli.child.kill('SIGINT')
  await until(async () => cli.stderr().includes('once more stops at once'))
  cli.child.kill('SIGINT')
  const { code, stderr } = await cli.finished
  expect(code).toBe(130)
  expect(stderr).not.toContain('error INTERRUPTED')
  expect(await samplesKept(cwd)).toBe(0)
  const { featureSets } = await runJson<{ featureSets: object[] }>(extractArguments(), { cwd })
  expect(featureSets).toMatchObject([{ computed: SAMPLES, reused: 0 }])
})
