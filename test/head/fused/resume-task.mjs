// Owns the trainings that resume.test.ts interrupts, as plain data: a process of their own trains them, too.
import { residentSource } from '../../../dist/src/features/feature-source.js'
import { createRandom } from '../../../dist/src/head/random.js'
import { headSpecSchema } from '../../../dist/src/head/spec.js'

const [rows, width, classes] = [200, 11, 3]

const blobs = () => {
  const random = createRandom('resume')
  const features = Float32Array.from(
    { length: rows * width },
    (_, at) => random.float() - 0.5 + (at % classes === Math.floor(at / width) % classes ? 0.2 : 0),
  )
  const target = { kind: 'single', classes: Array.from({ length: classes }, (_, c) => `c${c}`) }
  return {
    features: residentSource([features], width, [70, 140, rows]),
    rows,
    width,
    featureShape: [width],
    target,
    labels: Array.from({ length: rows }, (_, row) => [row % classes]),
    splits: Array.from({ length: rows }, (_, row) => (row % 5 === 4 ? 'validation' : 'train')),
  }
}

const LINEAR = [
  { kind: 'linear', epochs: 12, dropout: 0.3, batchSize: 16 },
  { kind: 'linear', epochs: 5, dropout: 0.3, batchSize: 16, learningRate: 0.01 },
  { kind: 'linear', epochs: 12, batchSize: 16, optimizer: 'sgd', learningRate: 0.1 },
  { kind: 'linear', epochs: 9, batchSize: 40, learningRate: 0.05, earlyStopping: { patience: 2 } },
]
const MLP = [
  { kind: 'mlp', width: 8, depth: 2, epochs: 12, dropout: 0.3, batchSize: 16 },
  { kind: 'mlp', width: 8, depth: 2, epochs: 7, dropout: 0.3, batchSize: 16, learningRate: 0.01 },
  { kind: 'mlp', width: 8, depth: 2, epochs: 12, dropout: 0.3, batchSize: 16, learningRate: 0.02 },
  {
    kind: 'mlp',
    width: 10,
    epochs: 12,
    batchSize: 16,
    learningRate: 0.03,
    earlyStopping: { patience: 2 },
  },
]

const request = (inputs, more = {}) => ({
  data: blobs(),
  heads: inputs.map((input) => ({ spec: headSpecSchema.parse(input), seed: 5, views: 1 })),
  ...more,
})

/** A request by name. */
export const REQUESTS = {
  linear: () => request(LINEAR),
  mlp: () => request(MLP),
  // One head after the other.
  waves: () => request([...LINEAR.slice(1, 3), MLP[1]], { maxParameters: 1 }),
  'folds and halving': () =>
    request(MLP, {
      folds: { count: 2, of: Uint8Array.from({ length: rows }, (_, row) => (row >> 1) % 2) },
      halving: { epochs: 3, factor: 2, metric: 'loss' },
    }),
}

/**
 * A signal that is looked at before each step and each measurement, and answers the look of that number.
 *
 * @param answer called then; returns whether the signal is aborted.
 */
export const signalAt = (look, answer) => {
  let looks = 0
  return {
    get aborted() {
      looks += 1
      return looks === look ? answer() : false
    },
  }
}
