// Owns a made-up sweep as a random search gives one: heads that learn well, badly and not at all.
import { headSpecSchema } from '../../src/head/spec.js'
import type { EpochMetrics } from '../../src/head/types.js'
import { sha256 } from '../../src/identity/hash.js'
import type { SweepHead, SweepReport } from '../../src/report/types.js'
import { normals } from '../head/synthetic.js'
import { SINGLE } from '../model/records.js'
import { seededRandom } from '../support/images.js'

const CUTS = ['block_13_expand_relu', 'out_relu', 'global_average_pooling2d'] as const
const EPOCHS = 30

const historyOf = (
  ceiling: number,
  rate: number,
  epochs: number,
  normal: () => number,
): EpochMetrics[] =>
  Array.from({ length: epochs }, (_, index) => {
    const learned = 1 - Math.exp(-rate * (index + 1))
    const score = Math.max(0.05, ceiling * learned + 0.006 * normal())
    const overfit = 0.004 * index * rate
    return {
      epoch: index + 1,
      train: { loss: 2.1 * (1 - learned) + 0.15, score: Math.min(1, score + 0.03) },
      validation: { loss: 2.2 * (1 - learned * ceiling) + overfit + 0.02 * normal(), score },
    }
  })

const headOf = (index: number, random: () => number, folds: boolean): SweepHead => {
  const normal = normals(index + 1)
  const learningRate = Number((10 ** (-4.5 + 4 * random())).toPrecision(3))
  const cut = CUTS[Math.floor(random() * CUTS.length)] ?? CUTS[0]
  const spec = headSpecSchema.parse({
    kind: random() < 0.5 ? 'linear' : 'mlp',
    optimizer: 'adamw',
    learningRate,
    weightDecay: [0, 1e-4, 1e-2][Math.floor(random() * 3)] ?? 0,
    dropout: Math.round(random() * 5) / 10,
    epochs: EPOCHS,
  })
  const distance = Math.log10(learningRate) + 2.6
  const ceiling = 0.93 - 0.05 * distance ** 2 - (cut === CUTS[0] ? 0.09 : 0) - 0.1 * spec.dropout
  const state = learningRate > 0.2 ? 'diverged' : index % 5 === 4 ? 'pruned' : 'trained'
  const epochs = state === 'diverged' ? 3 : state === 'pruned' ? 8 : EPOCHS
  const history = historyOf(ceiling, Math.min(1, 30 * learningRate + 0.05), epochs, normal)
  const scores = history.map(({ validation }) => validation?.score ?? 0)
  const best = Math.max(...scores)
  const value = state === 'diverged' ? null : best
  return {
    label: `#${index + 1}`,
    cut,
    pooling: 'avg',
    views: 1,
    spec,
    seed: 1,
    state,
    runId: state === 'trained' ? sha256(`run ${index}`) : null,
    reportHref: state === 'trained' ? `../../runs/${sha256(`run ${index}`)}/report.html` : null,
    epochs,
    bestEpoch: value === null ? null : scores.indexOf(best) + 1,
    value,
    folds:
      folds && value !== null ? Array.from({ length: 5 }, () => value + 0.01 * normal()) : null,
    history,
  }
}

export const sweepOf = (
  count: number,
  change: Partial<SweepReport> = {},
  { folds = false }: { readonly folds?: boolean } = {},
): SweepReport => {
  const random = seededRandom(3)
  const heads = Array.from({ length: count }, (_, index) => headOf(index, random, folds))
  const best = heads
    .filter(({ state }) => state === 'trained')
    .toSorted((a, b) => (b.value ?? 0) - (a.value ?? 0))[0]
  return {
    kind: 'sweep',
    sweepId: sha256('sweep'),
    createdAt: '2026-01-02T03:04:05.678Z',
    target: { kind: 'single', classes: ['a|b', 'c_d'] },
    select: { metric: 'accuracy', higherIsBetter: true },
    base: { id: sha256('base'), from: './mobilenet_v2_100_224' },
    dataset: {
      datasetId: sha256('dataset'),
      contentId: sha256('content'),
      from: '/home/someone/secret/meadow',
      samples: { train: 8000, validation: 1000, test: 1000 },
      quarantined: 3,
    },
    featureSetIds: CUTS.map((cut) => sha256(cut)),
    plan: `random search, ${count} heads with seed 1, successive halving`,
    heads,
    best: best === undefined ? null : { label: best.label, validation: SINGLE, test: SINGLE },
    seconds: { train: 12.5 },
    versions: { headstart: '0.1.0', node: 'v20.19.0' },
    notes: [],
    ...change,
  }
}
