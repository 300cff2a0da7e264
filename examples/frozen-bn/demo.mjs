// Owns `npm run demo:frozen-bn`: what Headstart is for, shown on the real pretrained MobileNetV2.
// Joint training with a frozen base in TF.js against two stages: the same images, decode, initial
// head, optimizer, batch size and order of batches.
//
// What each row means:
//   fit             what training itself reports for the last epoch. TF.js: running mean over the steps
//                   of `fit`, in training mode. Headstart: measured after the epoch, in inference mode.
//   evaluate        the trained model on the same training images, in inference mode.
//   validation      the trained model on images that it has never seen, in inference mode.
//   moving means,   BatchNormalization's statistics in the base after training against before:
//   moving variances  changed tensors, and mean and largest |after - before| / |before| of a tensor.
//   other weights   the same for all the base's kernels, biases, gammas and betas.
//   seconds         one epoch of training. Two stages pay for the extraction once, before.
//
// Options: --train N --validation N (images a class), --epochs N, --batch N, --learning-rate X,
//          --seed N, --engine auto|wasm|tensorflow, --json (one document on stdout).
// HEADSTART_TENSORFLOW and HEADSTART_DEVICE mean what they mean to the command line.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { table } from '../../dist/src/cli/tables.js'
import { parseConfig } from '../../dist/src/config.js'
import { indexDataset } from '../../dist/src/dataset/index-dataset.js'
import { openWorkspace } from '../../dist/src/experiment/workspace.js'
import { loadBase, loadBaseRecord } from '../../dist/src/extractor/base/load.js'
import { registerBase } from '../../dist/src/extractor/base/register.js'
import { findTensorflowPackage } from '../../dist/src/extractor/engines/tensorflow-package.js'
import { FIXED_BATCH } from '../../dist/src/extractor/fixed-batch.js'
import { preprocessSchema } from '../../dist/src/extractor/preprocess.js'
import { resolveExtractorSpec } from '../../dist/src/extractor/resolve.js'
import { prepareBase } from '../samples/prepare.mjs'
import { decodeInputs, makeImages } from './data.mjs'
import { measureDrift } from './drift.mjs'
import { trainJoint } from './joint.mjs'
import { trainTwoStages } from './two-stages.mjs'

const BASE = join(import.meta.dirname, '.cache/mobilenet_v2')
const CUT = 'flatten_1'
const PREPROCESS = { size: [224, 224], fit: 'fill', range: '0..1' }
const CACHE_BYTES = 2 ** 30

const say = (message) => process.stderr.write(`${message}\n`)

const numberOf = (name, text, isValid) => {
  const value = Number(text)
  if (!isValid(value)) throw new Error(`--${name} ${text} is out of range`)
  return value
}

const parseOptions = () => {
  const text = (value) => ({ type: 'string', default: value })
  const { values } = parseArgs({
    options: {
      train: text('16'),
      validation: text('16'),
      epochs: text('4'),
      batch: text('8'),
      'learning-rate': text('0.001'),
      seed: text('1'),
      engine: text('auto'),
      json: { type: 'boolean', default: false },
    },
  })
  const count = (name, least) =>
    numberOf(name, values[name], (n) => Number.isInteger(n) && n >= least && n <= 10_000)
  return {
    perClass: { train: count('train', 1), validation: count('validation', 1) },
    head: {
      // Two epochs at least: the time of one is the distance between two ends.
      epochs: count('epochs', 2),
      batchSize: count('batch', 1),
      learningRate: numberOf('learning-rate', values['learning-rate'], (x) => x > 0 && x <= 100),
    },
    seed: count('seed', 0),
    engine: values.engine,
    json: values.json,
  }
}

/** Joint training needs an engine that trains: tensorflow where there is one, else wasm. */
const engineOf = (asked, settings) => {
  const engines = ['auto', 'wasm', 'tensorflow']
  if (!engines.includes(asked))
    throw new Error(`--engine ${asked} is none of ${engines.join(', ')}`)
  if (asked !== 'auto') return asked
  return findTensorflowPackage(settings) === null ? 'wasm' : 'tensorflow'
}

const openTfjs = async (engine, settings) => {
  if (engine === 'wasm')
    return (await import('../../dist/src/extractor/engines/wasm.js')).openWasm(settings)
  const { prepareTensorflowEnvironment } = await import(
    '../../dist/src/extractor/engines/tensorflow-process.js'
  )
  prepareTensorflowEnvironment(settings)
  return (await import('../../dist/src/extractor/engines/tensorflow.js')).openTensorflow(settings)
}

/** The weights of a registered base as they lie in the store now, by name. */
const storedWeights = async ({ core }, store, baseId) => {
  const base = await loadBase(store, baseId)
  const tensors = core.io.decodeWeights(base.weights.buffer, base.weightSpecs)
  const values = Object.entries(tensors).map(([name, tensor]) => [name, tensor.dataSync().slice()])
  core.dispose(tensors)
  return new Map(values)
}

const runBoth = async (options, workspace, images) => {
  const { perClass, head, seed } = options
  const { store, engines: settings } = workspace
  await makeImages(images, perClass)
  const name = engineOf(options.engine, settings)
  const engine = { name, fixedBatch: FIXED_BATCH[name], precision: 'fp32' }
  const { tf, info } = await openTfjs(name, settings)
  const { baseId } = await registerBase(store, BASE)
  const before = await storedWeights(tf, store, baseId)

  say(`two stages on ${info.engine} (${info.device})`)
  const twoStages = await trainTwoStages({
    workspace,
    folder: import.meta.dirname,
    experiment: {
      base: { from: baseId, cut: CUT },
      preprocess: PREPROCESS,
      dataset: { from: images },
      heads: [{ kind: 'linear', ...head }],
      engine: name,
      seed,
    },
    onEpoch: ({ epoch, train }) => say(`  epoch ${epoch}: loss ${train.loss.toFixed(3)}`),
  })

  say(`joint training on ${info.engine} (${info.device})`)
  const opened = await indexDataset({
    spec: { from: images, target: 'single' },
    cacheDir: workspace.hashCacheDir,
    baseDir: import.meta.dirname,
  })
  const { dataset } = opened
  const spec = resolveExtractorSpec({
    base: await loadBaseRecord(store, baseId),
    cut: CUT,
    pooling: 'avg',
    preprocess: preprocessSchema.parse(PREPROCESS),
    content: dataset.content,
    view: { kind: 'plain' },
    engine,
  })
  const joint = await trainJoint({
    tf,
    base: await loadBase(store, baseId),
    cut: CUT,
    data: {
      inputs: await decodeInputs(opened, spec),
      labels: dataset.samples.map(({ label }) => label[0]),
      splits: dataset.samples.map(({ split }) => split),
      shape: [...spec.input.size, 3],
      classes: dataset.target.classes.length,
    },
    head,
    seed,
    onEpoch: ({ epoch, loss, seconds }) =>
      say(`  epoch ${epoch}: loss ${loss.toFixed(3)}, ${seconds.toFixed(1)} s`),
  })
  await opened.reader.close()
  // Of the same tensors: those up to the cut.
  const after = await storedWeights(tf, store, baseId)
  const drift = measureDrift(
    new Map(joint.weightNames.map((name) => [name, before.get(name)])),
    after,
  )
  const countOf = (split) => dataset.samples.filter((sample) => sample.split === split).length
  return {
    images: { train: countOf('train'), validation: countOf('validation') },
    classes: dataset.target.classes.length,
    head: { ...head, optimizer: 'adam', seed },
    engine: info,
    joint: {
      fit: joint.epochs.at(-1),
      evaluate: joint.evaluate,
      validation: joint.validation,
      drift: joint.drift,
      secondsPerEpoch: joint.epochs.reduce((sum, { seconds }) => sum + seconds, 0) / head.epochs,
    },
    twoStages: { ...twoStages, drift },
  }
}

const pair = ({ loss, accuracy }) => `${loss.toFixed(3)} / ${accuracy.toFixed(3)}`
const percent = (value) => `${(100 * value).toPrecision(2)} %`
const moved = ({ tensors, changed, meanRelativeChange, maxRelativeChange }) =>
  changed === 0
    ? `0 of ${tensors} changed`
    : `${changed} of ${tensors} changed: mean ${percent(meanRelativeChange)}, max ${percent(maxRelativeChange)}`

const describe = ({ images, classes, head, engine, joint, twoStages }) => {
  const sides = [joint, twoStages]
  const row = (name, cell) => [name, ...sides.map(cell)]
  const rows = [
    row('fit, last epoch: loss / accuracy', (side) => pair(side.fit)),
    row('evaluate, same images', (side) => pair(side.evaluate)),
    row('validation', (side) => pair(side.validation)),
    row('moving means', ({ drift }) => moved(drift.movingMean)),
    row('moving variances', ({ drift }) => moved(drift.movingVariance)),
    row('other weights of the base', ({ drift }) => moved(drift.otherWeights)),
    row('seconds an epoch', (side) => side.secondsPerEpoch.toPrecision(3)),
    ['extraction, once', '-', `${twoStages.secondsExtract.toFixed(1)} s`],
  ]
  const { samples, bitwise, maxAbsDiff } = twoStages.parity
  return `
MobileNetV2, ${images.train} training and ${images.validation} validation images, ${classes} classes
${head.optimizer} ${head.learningRate}, batch ${head.batchSize}, ${head.epochs} epochs, ${engine.engine} on ${engine.device}

${table(rows, ['', 'joint, base frozen', 'two stages'])}

parity of the two stages: ${bitwise ? 'bitwise' : 'within tolerance'} on ${samples} samples, max difference ${maxAbsDiff}`
}

const options = parseOptions()
await prepareBase('mobilenet_v2', BASE)
const scratch = await mkdtemp(join(tmpdir(), 'headstart-frozen-bn-'))
const workspace = await openWorkspace({
  directory: scratch,
  cacheBytes: CACHE_BYTES,
  engines: parseConfig(process.env).engines,
})
try {
  const result = await runBoth(options, workspace, join(scratch, 'images'))
  process.stdout.write(`${options.json ? JSON.stringify(result, null, 2) : describe(result)}\n`)
} finally {
  await workspace.close()
  await rm(scratch, { recursive: true, force: true })
}
