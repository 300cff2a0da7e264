// A process that trains in threads and exits with 7 in the middle of it.
// Arguments: start or epoch (the first one), and milliseconds after that.
import { residentSource } from '../../../dist/src/features/feature-source.js'
import { trainTogether } from '../../../dist/src/head/fused/train-together.js'
import { headSpecSchema } from '../../../dist/src/head/spec.js'

const [rows, width] = [512, 1024]
const values = Float32Array.from({ length: rows * width }, (_, at) => Math.sin(at))
const data = {
  features: residentSource([values], width),
  rows,
  width,
  featureShape: [width],
  target: { kind: 'single', classes: ['a', 'b'] },
  labels: Array.from({ length: rows }, (_, row) => [row % 2]),
  splits: Array.from({ length: rows }, () => 'train'),
}
const spec = headSpecSchema.parse({ kind: 'mlp', width: 512, epochs: 1000, batchSize: 256 })
const heads = [1, 2].map((seed) => ({ spec, seed, views: 1 }))
const [since, after] = process.argv.slice(2)
let isFirst = since === 'epoch'
const exitSoon = () => setTimeout(() => process.exit(7), Number(after))
if (since === 'start') exitSoon()
const onEpoch = () => {
  if (isFirst) exitSoon()
  isFirst = false
}
await trainTogether({ data, heads, onEpoch, threads: 2 })
