// Measures what an experiment costs: the first one (extracts), the second one (another head, nothing
// to extract), and an epoch of a head against an epoch of joint training with the base frozen.
// Run: node bench/second-experiment.mjs [--joint-images 64] [--engine auto|onnxruntime|wasm|tensorflow]
// The joint epoch is timed on --joint-images training images and scaled to all: its time is linear.
import { table } from '../dist/src/cli/tables.js'
import { runExperiment } from '../dist/src/experiment/run.js'
import { parseExperiment } from '../dist/src/experiment/schema.js'
import { loadTfjsBase } from '../dist/src/extractor/base/load.js'
import { DEFAULT_ENGINE_SETTINGS } from '../dist/src/extractor/engine-settings.js'
import { decodeInputs } from '../examples/frozen-bn/data.mjs'
import { trainJoint } from '../examples/frozen-bn/joint.mjs'
import { describeMachine, median, parseOptions, secondsOf, wholeNumber } from './lib/numbers.mjs'
import { CUT, openSetting, PREPROCESS, prepareSamples, withWorkspace } from './lib/setting.mjs'

const EPOCHS = 30
const SETTINGS = DEFAULT_ENGINE_SETTINGS
const JOINT_BATCH = 8

/** Joint training needs TF.js: onnxruntime cannot train. */
const openTfjs = async (engine) =>
  engine === 'tensorflow'
    ? (await import('../dist/src/extractor/engines/tensorflow.js')).openTensorflow(SETTINGS)
    : (await import('../dist/src/extractor/engines/wasm.js')).openWasm(SETTINGS)

/** Seconds of a whole experiment, and of the median epoch of its head. */
const runOnce = async (workspace, samples, { engine, learningRate }) => {
  const ends = []
  let result
  const seconds = await secondsOf(async () => {
    result = await runExperiment({
      workspace,
      experiment: parseExperiment({
        base: { from: samples.base, cut: CUT },
        preprocess: PREPROCESS,
        dataset: { from: samples.images },
        heads: [{ kind: 'linear', epochs: EPOCHS, learningRate }],
        engine,
      }),
      folder: import.meta.dirname,
      events: { onEpoch: () => ends.push(performance.now()) },
    })
  })
  const epochs = ends.slice(1).map((end, i) => (end - ends[i]) / 1000)
  return { seconds, epoch: median(epochs), computed: result.featureSet.computed }
}

/** Seconds an image of one epoch of joint training. */
const timeJoint = async (store, setting, images) => {
  const { opened, spec, record } = setting
  const { dataset, reader } = opened
  const picked = { ...dataset, samples: dataset.samples.slice(0, images) }
  const { tf } = await openTfjs(spec.engine)
  const { epochs } = await trainJoint({
    tf,
    base: await loadTfjsBase(store, record.baseId),
    cut: CUT,
    data: {
      inputs: await decodeInputs({ dataset: picked, reader }, spec),
      labels: picked.samples.map(({ label }) => label[0]),
      splits: picked.samples.map(() => 'train'),
      shape: [...spec.input.size, 3],
      classes: dataset.target.classes.length,
    },
    head: { epochs: 2, batchSize: JOINT_BATCH, learningRate: 0.001 },
    seed: 1,
  })
  // The first epoch also allocates.
  return epochs.at(-1).seconds / picked.samples.length
}

const options = parseOptions({ 'joint-images': '64', engine: 'auto' })
const jointImages = wholeNumber('joint-images', options['joint-images'])
const samples = await prepareSamples()
await withWorkspace(async ({ workspace }) => {
  const { engine } = options
  const first = await runOnce(workspace, samples, { engine, learningRate: 0.001 })
  const second = await runOnce(workspace, samples, { engine, learningRate: 0.003 })
  const setting = await openSetting({ workspace, ...samples, engine })
  const jointImage = await timeJoint(workspace.store, setting, jointImages)
  await setting.opened.reader.close()
  const train = setting.opened.dataset.samples.filter(({ split }) => split === 'train').length
  const jointEpoch = jointImage * train
  const rows = [
    ['first experiment', `${first.seconds.toFixed(1)} s`, `${first.computed} computed`],
    ['second experiment', `${second.seconds.toFixed(1)} s`, `${second.computed} computed`],
    ['an epoch of the head', `${second.epoch.toFixed(3)} s`, `${train} training images`],
    [
      'an epoch of joint training',
      `${jointEpoch.toFixed(0)} s`,
      `${(1000 * jointImage).toFixed(0)} ms an image, ${jointImages} timed, batch ${JOINT_BATCH}`,
    ],
    ['joint / head', (jointEpoch / second.epoch).toFixed(0), ''],
  ]
  process.stdout.write(`
linear head, ${EPOCHS} epochs, ${setting.spec.engine}; ${describeMachine()}

${table(rows)}
`)
})
