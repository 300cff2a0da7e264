// Child of bench/streaming.mjs: trains on made-up features within a budget in a process of its own and
// prints seconds of the last epochs and memory as one JSON line.
// Arguments: rows width heads epochs budget-bytes
import { openFeatures } from '../../dist/src/features/open-features.js'
import { trainTogether } from '../../dist/src/head/fused/train-together.js'
import { headSpecSchema } from '../../dist/src/head/spec.js'
import { madeFeatures, trainingDataOf } from './made-features.mjs'

const SAMPLE_MS = 20

const [rows, width, heads, epochs, budgetBytes] = process.argv.slice(2).map(Number)

const trainOn = (data, count) =>
  trainTogether({
    data,
    heads: Array.from({ length: count }, (_, i) => ({
      spec: headSpecSchema.parse({
        kind: 'linear',
        epochs,
        learningRate: 0.001 / (i + 1),
        batchSize: 256,
      }),
      seed: 1 + i,
      views: 1,
    })),
    onEpoch: (head) => {
      if (head === 0) ends.push(performance.now())
    },
  })

let ends = []
const { store, set } = await madeFeatures(rows, width)
// The trainer itself, on features of no size: libraries, kernels and the state of the heads.
const tiny = await madeFeatures(4096, width)
const small = await openFeatures(tiny.store, [tiny.set])
await trainOn(trainingDataOf(small), heads)
await small.close()
const baselineBytes = process.memoryUsage.rss()

ends = []
let peakBytes = 0
const sampler = setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
}, SAMPLE_MS)
const started = performance.now()
const features = await openFeatures(store, [set], { budgetBytes })
const opened = performance.now()
const outcomes = await trainOn(trainingDataOf(features), heads)
clearInterval(sampler)
const trained = outcomes.filter(({ state }) => state === 'trained').length
const epochSeconds = ends.map((end, i) => (end - (ends[i - 1] ?? opened)) / 1000)
const result = {
  streamed: features.source.resident === null,
  trained,
  openSeconds: (opened - started) / 1000,
  epochSeconds,
  aboveBaselineBytes: Math.max(peakBytes, process.memoryUsage.rss()) - baselineBytes,
}
await features.close()
process.stdout.write(`${JSON.stringify(result)}\n`)
process.exit(0)
