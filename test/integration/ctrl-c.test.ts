// Ctrl-C as people press it: through a terminal, on real images.
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { prepareBase, prepareEmoji } from '../../examples/samples/prepare.mjs'
import { sha256 } from '../../src/identity/hash.js'
import { CLI_FILE, runJson, startCli, startProcess } from '../support/cli.js'
import { filesBelow, makeFolder, until } from '../support/folders.js'
import { samplesKept } from './state.js'

// Many more batches than are in work at once, two for each core, so that Ctrl-C always finds some that
// are not begun.
const PER_CLASS = Math.max(14, 8 * availableParallelism())
let inputs: string
let samples: number

const extractArguments = (): string[] => [
  'extract',
  ...['--base', join(inputs, 'base'), '--cut', 'flatten_1', '--dataset', join(inputs, 'images')],
]

beforeAll(async () => {
  inputs = await makeFolder()
  await prepareBase('mobilenet_v2', join(inputs, 'base'))
  await prepareEmoji(join(inputs, 'images'), { limitPerClass: PER_CLASS })
  // Some images are the same under two names.
  const contents = new Set<string>()
  for (const name of await filesBelow(join(inputs, 'images')))
    contents.add(sha256(await readFile(join(inputs, 'images', name))))
  samples = contents.size
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
  expect(screen).toMatch(new RegExp(`extract \\[[= ]{28}\\] \\d+/${samples} `))
  expect(screen).toContain('stopping after this batch')
  expect(screen).toContain('error INTERRUPTED')
  expect(code).toBe(130)

  const kept = await samplesKept(cwd)
  expect(kept).toBeGreaterThan(0)
  expect(kept).toBeLessThan(samples)
  const { featureSets } = await runJson<{ featureSets: object[] }>(extractArguments(), { cwd })
  expect(featureSets).toMatchObject([{ computed: samples - kept, reused: kept }])
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
  expect(featureSets).toMatchObject([{ computed: samples, reused: 0 }])
})
