// Measures what the queue adds to an extraction at the default shard size: the same images inline, in a
// process of their own, and through Redis with one worker process; interleaved, every time a new store.
// Run: node bench/queue-overhead.mjs [--rounds 3] [--per-class 300]   (needs redis-server on the PATH)
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { table } from '../dist/src/cli/tables.js'
import { openWorkspace } from '../dist/src/experiment/workspace.js'
import { openBackend } from '../dist/src/queue/backend.js'
import { createService } from '../dist/src/queue/service.js'
import { prepareEmoji } from '../examples/samples/prepare.mjs'
import { describeMachine, median, parseOptions, secondsOf, wholeNumber } from './lib/numbers.mjs'
import { inFolder, startRedis, startWorkerProcess } from './lib/service.mjs'
import { CUT, PREPROCESS, prepareSamples } from './lib/setting.mjs'

const TARGET_PERCENT = 3

const inline = async (base, images) => {
  const script = join(import.meta.dirname, 'lib/extract-folder.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [script, base, images, 'wasm'])
  return JSON.parse(stdout)
}

const queued = (redis, base, images) =>
  inFolder(async (cwd) => {
    const store = pathToFileURL(join(cwd, 'store')).href
    const workspace = await openWorkspace({ directory: cwd, cacheBytes: 2 ** 30, url: store })
    const backend = await openBackend(redis.url)
    const service = createService(backend, workspace)
    const stop = await startWorkerProcess({ kind: 'extract', cwd, queue: redis.url, store })
    const request = {
      base: { from: base, cut: CUT },
      preprocess: PREPROCESS,
      dataset: { from: images },
      engine: 'wasm',
    }
    try {
      // Indexing is the same with and without a queue: only what follows is timed.
      const handle = await service.enqueueExtraction(request, { folder: cwd })
      let samples = 0
      const seconds = await secondsOf(async () => {
        const [result] = await handle.finished()
        samples = result.computed
      })
      return { samples, seconds }
    } finally {
      await stop()
      await backend.close()
      await workspace.close()
    }
  })

const options = parseOptions({ rounds: '3', 'per-class': '0' })
const rounds = wholeNumber('rounds', options.rounds)
const perClass = wholeNumber('per-class', options['per-class'], 0)
const samples = await prepareSamples()
const folder = await mkdtemp(join(tmpdir(), 'headstart-bench-images-'))
const images = perClass === 0 ? samples.images : folder
if (perClass > 0) await prepareEmoji(images, { limitPerClass: perClass })
const redis = await startRedis()
const results = []
try {
  for (let round = 1; round <= rounds; round += 1) {
    const alone = await inline(samples.base, images)
    const through = await queued(redis, samples.base, images)
    if (alone.samples !== through.samples) throw new Error('the two computed different samples')
    results.push({ alone, through, percent: 100 * (through.seconds / alone.seconds - 1) })
    process.stderr.write(`round ${round}: ${results.at(-1).percent.toFixed(1)} %\n`)
  }
} finally {
  await redis.stop()
  await rm(folder, { recursive: true, force: true })
}
const rows = results.map(({ alone, through, percent }, i) => [
  String(i + 1),
  String(alone.samples),
  alone.seconds.toFixed(1),
  through.seconds.toFixed(1),
  percent.toFixed(1),
])
process.stdout.write(`${table(rows, ['round', 'samples', 'inline s', 'queue s', 'overhead %'])}\n`)
const overall = median(results.map(({ percent }) => percent))
process.stdout.write(
  `median overhead ${overall.toFixed(1)} % (asked for: under ${TARGET_PERCENT} %); ${describeMachine()}\n`,
)
