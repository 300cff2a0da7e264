// Measures how extraction grows with workers: one worker process on one core against two on two cores,
// interleaved, engines warm. A cut without pooling gives wide features and so many small shards. Two
// ratios: while shards wait, so that every worker has work; and to the end, where the last shard of one
// worker keeps the other waiting.
// Run: node bench/two-workers.mjs [--rounds 2] [--per-class 60]   (Linux; needs redis-server on the PATH)
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { table } from '../dist/src/cli/tables.js'
import { openWorkspace } from '../dist/src/experiment/workspace.js'
import { openBackend } from '../dist/src/queue/backend.js'
import { createService } from '../dist/src/queue/service.js'
import { prepareEmoji } from '../examples/samples/prepare.mjs'
import { describeMachine, median, parseOptions, secondsOf, wholeNumber } from './lib/numbers.mjs'
import { inFolder, startRedis, startWorkerProcess } from './lib/service.mjs'
import { PREPROCESS, prepareSamples } from './lib/setting.mjs'

const TARGET_RATIO = 1.8
const POLL_MS = 100
const CUT = 'out_relu'
/** Enough shards for each worker to start its engine on. */
const WARM_PER_CLASS = 15

const options = parseOptions({ rounds: '2', 'per-class': '60' })
const rounds = wholeNumber('rounds', options.rounds)
const perClass = wholeNumber('per-class', options['per-class'])
const samples = await prepareSamples()
const data = await mkdtemp(join(tmpdir(), 'headstart-bench-images-'))
await prepareEmoji(join(data, 'warm'), { limitPerClass: WARM_PER_CLASS })
await prepareEmoji(join(data, 'all'), { limitPerClass: perClass })
const redis = await startRedis()

/** Images a second of workers on these cores. */
const measure = (cores) =>
  inFolder(async (cwd) => {
    const store = pathToFileURL(join(cwd, 'store')).href
    const workspace = await openWorkspace({ directory: cwd, cacheBytes: 2 ** 30, url: store })
    const backend = await openBackend(redis.url)
    const service = createService(backend, workspace)
    const worker = { kind: 'extract', cwd, queue: redis.url, store }
    const stops = await Promise.all(
      cores.map((core) => startWorkerProcess({ ...worker, cores: core })),
    )
    /** Samples that have features by now, by what the shard jobs say. */
    const countDone = async () => {
      const jobs = await service.listJobs({ kind: 'shard', limit: 10_000 })
      return jobs.reduce(
        (sum, { result, progress }) => sum + (result?.rows ?? progress?.done ?? 0),
        0,
      )
    }
    const shards = backend.queue('headstart-shard-wasm')
    /** Rate from when all shards are enqueued until none waits. */
    const busyRate = async (job) => {
      while ((await service.getJob(job)).progress === null) await sleep(POLL_MS)
      const [before, started] = [await countDone(), performance.now()]
      while ((await shards.getJobCountByTypes('waiting')) > 0) await sleep(POLL_MS)
      return (1000 * ((await countDone()) - before)) / (performance.now() - started)
    }
    const extract = async (images) => {
      const request = {
        base: { from: samples.base, cut: CUT, pooling: 'none' },
        preprocess: PREPROCESS,
        dataset: { from: images },
        engine: 'wasm',
      }
      const handle = await service.enqueueExtraction(request, { folder: cwd })
      const busy = busyRate(handle.ids[0])
      const [result] = await handle.finished()
      return { computed: result.computed, busy: await busy }
    }
    try {
      await extract(join(data, 'warm'))
      let result
      const seconds = await secondsOf(async () => {
        result = await extract(join(data, 'all'))
      })
      return { rate: result.computed / seconds, ...result }
    } finally {
      await Promise.all(stops.map((stop) => stop()))
      await backend.close()
      await workspace.close()
    }
  })

const results = []
try {
  for (let round = 1; round <= rounds; round += 1) {
    const one = await measure(['0'])
    const two = await measure(['0', '1'])
    results.push({ one, two, ratio: two.busy / one.busy, whole: two.rate / one.rate })
    process.stderr.write(`round ${round}: ${results.at(-1).ratio.toFixed(2)}\n`)
  }
} finally {
  await redis.stop()
  await rm(data, { recursive: true, force: true })
}
const rows = results.map(({ one, two, ratio, whole }, i) => [
  String(i + 1),
  String(one.computed),
  one.busy.toFixed(1),
  two.busy.toFixed(1),
  ratio.toFixed(2),
  whole.toFixed(2),
])
process.stdout.write(
  `${table(rows, ['round', 'images', 'one worker /s', 'two workers /s', 'ratio', 'to the end'])}\n`,
)
process.stdout.write(
  `median ratio ${median(results.map(({ ratio }) => ratio)).toFixed(2)} (asked for: at least ${TARGET_RATIO}); ${describeMachine()}\n`,
)
