// Measures training heads on features in memory (made up; all rows are train): one linear head against
// PyTorch and Keras; many linear heads together against one of ours, a PyTorch loop and scikit-learn;
// MLPs against a PyTorch loop; L-BFGS against scikit-learn's LogisticRegression. Interleaved rounds, all
// cores. Peers that loop may train `--peer-heads` of the heads: their time is scaled, and the table says so.
// Run: node bench/heads.mjs [--parts linear,grid,mlp,lbfgs] [--rounds 3] [--rows 10000] [--width 1280]
//        [--classes 10] [--epochs 20] [--batch 32] [--peer-heads 4] [--l2 0.001] [--json]
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { table } from '../dist/src/cli/tables.js'
import { solveTogether } from '../dist/src/head/exact/solve-together.js'
import { trainTogether } from '../dist/src/head/fused/train-together.js'
import { openHead } from '../dist/src/head/predict-head.js'
import { headSpecSchema } from '../dist/src/head/spec.js'
import { prepareHeadData } from './lib/head-data.mjs'
import {
  describeHardware,
  describeMachine,
  listOf,
  median,
  parseOptions,
  wholeNumber,
} from './lib/numbers.mjs'
import { startHeadsPeer } from './lib/peer-process.mjs'
import { inRounds } from './lib/rounds.mjs'

const options = parseOptions({
  parts: 'linear,grid,mlp,lbfgs',
  rounds: '3',
  rows: '10000',
  width: '1280',
  classes: '10',
  epochs: '20',
  batch: '32',
  'peer-heads': '4',
  l2: '0.001',
  json: false,
})
const number = (name) => wholeNumber(name, options[name])
const sizes = { rows: number('rows'), width: number('width'), classes: number('classes') }
const [epochs, batch, rounds] = [number('epochs'), number('batch'), number('rounds')]
const peerHeads = number('peer-heads')
const exact = { l2: Number(options.l2), tolerance: 1e-5 }

const { files, data, features, labels } = await prepareHeadData(sizes)
const peers = new Map()
const folder = await mkdtemp(join(tmpdir(), 'headstart-heads-'))

const linear = { kind: 'linear', learningRate: 0.001, l2: 0 }
const GRID = [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2].flatMap((learningRate) =>
  [0, 1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3].map((l2) => ({ ...linear, learningRate, l2 })),
)
const MLPS = [1e-4, 3e-4, 1e-3, 3e-3].flatMap((learningRate) =>
  [0, 1e-6, 1e-5, 1e-4].map((l2) => ({ kind: 'mlp', width: 256, learningRate, l2 })),
)

const accuracyOf = (outcome) => outcome.head?.metrics.train.accuracy ?? Number.NaN
const timed = async (work) => {
  const started = performance.now()
  const result = await work()
  return { seconds: (performance.now() - started) / 1000, ...result }
}

const trainOurs = (heads) =>
  timed(async () => {
    const specs = heads.map((head) => headSpecSchema.parse({ epochs, ...head, batchSize: batch }))
    const together = specs.map((spec) => ({ spec, seed: 1, views: 1 }))
    const outcomes = await trainTogether({ data, heads: together })
    return { accuracies: outcomes.map(accuracyOf) }
  })

/** Spread over the grid, so that no corner of it decides. */
const someOf = (heads) =>
  heads.filter((_, index) => index % Math.max(1, Math.floor(heads.length / peerHeads)) === 0)

const trainPeer = async (name, heads, more = {}) => {
  const some = heads.length > peerHeads ? someOf(heads) : heads
  const answer = await peers.get(name).ask({ do: 'train', heads: some, epochs, batch, ...more })
  const scale = heads.length / some.length
  return { ...answer, seconds: answer.seconds * scale, scaledFrom: scale > 1 ? some.length : null }
}

const solveOurs = () =>
  timed(async () => {
    const spec = headSpecSchema.parse({
      kind: 'linear',
      optimizer: 'lbfgs',
      epochs: 1000,
      ...exact,
    })
    const [{ head }] = await solveTogether({ data, heads: [{ spec, seed: 1, views: 1 }] })
    const weights = new Float32Array(head.artifacts.weights.slice().buffer)
    const kernel = weights.subarray(0, sizes.width * sizes.classes)
    const squares = kernel.reduce((sum, weight) => sum + weight * weight, 0)
    const objective = head.metrics.train.loss + exact.l2 * squares
    return { objective, iterations: head.history.length, artifacts: head.artifacts }
  })

/** The classes that scikit-learn predicted, beside ours: the part that is equal. */
const agreementOf = async (artifacts, file) => {
  const theirs = new Int32Array((await readFile(file)).buffer.slice(0, 4 * sizes.rows))
  const predictor = await openHead(artifacts)
  const served = predictor.predict(features, sizes.rows)
  predictor.close()
  const same = labels.filter((_, row) => {
    const own = served.subarray(row * sizes.classes, (row + 1) * sizes.classes)
    return own.indexOf(Math.max(...own)) === theirs[row]
  })
  return same.length / sizes.rows
}

const predicted = join(folder, 'predicted.i32')
/** What is measured in each part: our side first. */
const PARTS = {
  linear: {
    headstart: () => trainOurs([linear]),
    torch: () => trainPeer('torch', [linear]),
    keras: () => trainPeer('keras', [linear]),
  },
  grid: {
    'headstart, 64 heads': () => trainOurs(GRID),
    'headstart, one head': () => trainOurs([linear]),
    'torch, 64 heads': () => trainPeer('torch', GRID),
    'SGDClassifier, 64 heads': () => trainPeer('sklearn', GRID, { solver: 'sgd' }),
    'LogisticRegression, 64 heads': () => trainPeer('sklearn', GRID, { solver: 'lbfgs' }),
  },
  mlp: {
    'headstart, 16 heads': () => trainOurs(MLPS),
    'torch, 16 heads': () => trainPeer('torch', MLPS),
  },
  lbfgs: {
    headstart: solveOurs,
    LogisticRegression: () => peers.get('sklearn').ask({ do: 'solve', ...exact, file: predicted }),
  },
}

const round3 = (value) => Number(value.toPrecision(3))

const summaryOf = (results) => {
  const [ours] = Object.values(results)
  return Object.entries(results).map(([name, own]) => {
    const last = own.at(-1)
    return {
      name,
      seconds: median(own.map(({ seconds }) => seconds)),
      byRound: own.map(({ seconds }) => round3(seconds)),
      ratio: median(own.map(({ seconds }, round) => seconds / ours[round].seconds)),
      scaledFrom: last.scaledFrom ?? null,
      ...(last.accuracies === undefined ? {} : { best: Math.max(...last.accuracies) }),
      ...(last.objective === undefined
        ? {}
        : { objective: last.objective, iterations: last.iterations }),
    }
  })
}

const show = (part, summary) => {
  const rows = summary.map(
    ({ name, seconds, byRound, ratio, scaledFrom, best, objective, iterations }) => [
      name,
      seconds.toFixed(2),
      byRound.join(' '),
      ratio.toFixed(2),
      scaledFrom === null ? '' : `scaled from ${scaledFrom} heads`,
      best?.toFixed(4) ?? `${objective.toFixed(7)} in ${iterations} iterations`,
    ],
  )
  const result = part === 'lbfgs' ? 'objective' : 'best train accuracy'
  return `${part}\n${table(rows, ['', 'seconds', 'by round', 'to the first', '', result])}`
}

try {
  const machine = describeMachine()
  const versions = {}
  for (const name of ['torch', 'keras', 'sklearn']) {
    const peer = startHeadsPeer(name)
    peers.set(name, peer)
    const threads = availableParallelism()
    versions[name] = (await peer.ask({ do: 'open', ...files, ...sizes, threads })).version
  }
  // What is loaded or compiled at the first step is no part of a training.
  const first = { do: 'train', heads: [linear], epochs: 1, batch: sizes.rows }
  for (const name of ['torch', 'keras']) await peers.get(name).ask(first)
  await peers.get('sklearn').ask({ ...first, solver: 'sgd' })
  await trainOurs([{ ...linear, epochs: 1 }])
  const report = { ...describeHardware(), machine, ...sizes, epochs, batch, versions, parts: {} }
  for (const part of listOf(options.parts)) {
    const subjects = PARTS[part]
    if (subjects === undefined) throw new Error(`no part ${part}; there are ${Object.keys(PARTS)}`)
    const names = Object.keys(subjects)
    const results = await inRounds(names, rounds, (name) => subjects[name]())
    report.parts[part] = summaryOf(results)
    if (part === 'lbfgs')
      report.agreement = await agreementOf(results.headstart.at(-1).artifacts, predicted)
    if (!options.json) process.stdout.write(`\n${show(part, report.parts[part])}\n`)
  }
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else {
    const agreement =
      report.agreement === undefined ? '' : `predictions agree on ${100 * report.agreement} %\n`
    process.stdout.write(
      `${agreement}\n${sizes.rows} x ${sizes.width}, ${sizes.classes} classes, ${epochs} epochs, batch ${batch}, Adam; ${rounds} rounds\n${machine} at the start; ${Object.values(versions).join('; ')}\n`,
    )
  }
} finally {
  for (const peer of peers.values()) await peer.close()
  await rm(folder, { recursive: true, force: true })
}
