// Owns the usual way, on plain TF.js: a frozen base with a new head on top, trained in one model with
// `model.fit`. Initial head, optimizer, batches and their order are those of Headstart's linear head.

import { loadTfjsModel } from '../../dist/src/extractor/engines/tfjs.js'
import { cutLayersModel } from '../../dist/src/extractor/engines/tfjs-cut.js'
import { planEpoch, rowsOfSplit } from '../../dist/src/head/batches.js'
import { glorotUniform } from '../../dist/src/head/initial.js'
import { createRandom } from '../../dist/src/head/random.js'
import { measureDrift } from './drift.mjs'

const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }

const readWeights = (model) =>
  new Map(
    model.layers.flatMap((layer) =>
      layer.weights.map((weight) => [weight.originalName, weight.read().dataSync().slice()]),
    ),
  )

const buildJoint = async (tf, { base, cut, classes, head, seed }) => {
  const { model } = await loadTfjsModel(tf, base)
  const frozen = cutLayersModel(tf, model, cut)
  for (const layer of frozen.layers) layer.trainable = false
  const dense = tf.layers.layers.dense({
    units: classes,
    activation: 'softmax',
    name: 'joint_head',
  })
  const joint = tf.layers.model({
    inputs: frozen.inputs,
    outputs: dense.apply(frozen.outputs[0]),
  })
  const trained = joint.trainableWeights.map(({ originalName }) => originalName)
  if (trained.length !== 2) throw new Error(`more than the head is trained: ${trained}`)
  const [kernel] = dense.getWeights()
  // The same draw as that of the first weight of a head.
  const drawn = glorotUniform(kernel.shape, createRandom(seed, 'weight', 0))
  dense.setWeights([tf.core.tensor(drawn, kernel.shape), tf.core.zeros([classes])])
  joint.compile({
    optimizer: tf.core.train.adam(head.learningRate, ADAM.beta1, ADAM.beta2, ADAM.epsilon),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  })
  return { joint, frozen }
}

/** Calls `work` with the inputs [rows, height, width, 3] and one-hot targets of some rows. */
const withRows = async (tf, { inputs, labels, shape, classes }, rows, work) => {
  const size = shape.reduce((a, b) => a * b, 1)
  const values = new Float32Array(rows.length * size)
  rows.forEach((row, i) => {
    values.set(inputs[row], i * size)
  })
  const x = tf.core.tensor(values, [rows.length, ...shape])
  const y = tf.core.oneHot(
    tf.core.tensor1d(
      Array.from(rows, (row) => labels[row]),
      'int32',
    ),
    classes,
  )
  try {
    return await work(x, y)
  } finally {
    tf.core.dispose([x, y])
  }
}

const evaluate = (tf, joint, data, rows, batchSize) =>
  withRows(tf, data, rows, async (x, y) => {
    const scalars = joint.evaluate(x, y, { batchSize })
    const [loss, accuracy] = scalars.map((scalar) => scalar.dataSync()[0])
    tf.core.dispose(scalars)
    return { loss, accuracy }
  })

/**
 * @param request.tf TF.js with its backend chosen.
 * @param request.base a LoadedBase; request.cut: the layer whose output the head reads.
 * @param request.data inputs, labels, splits, shape and classes, in key order.
 * @param request.head learningRate, batchSize, epochs.
 * @param request.onEpoch called with the epoch, its loss and accuracy, and its seconds.
 */
export const trainJoint = async ({ tf, base, cut, data, head, seed, onEpoch }) => {
  const { joint, frozen } = await buildJoint(tf, { base, cut, classes: data.classes, head, seed })
  const before = readWeights(frozen)
  const [train, validation] = ['train', 'validation'].map((split) =>
    rowsOfSplit(data.splits, split),
  )
  const { batchSize } = head
  const epochs = []
  for (let epoch = 1; epoch <= head.epochs; epoch += 1) {
    const { rows } = planEpoch(train, 1, seed, epoch)
    await withRows(tf, data, rows, async (x, y) => {
      const started = performance.now()
      const { history } = await joint.fit(x, y, {
        epochs: 1,
        batchSize,
        shuffle: false,
        verbose: 0,
      })
      epochs.push({
        loss: history.loss[0],
        accuracy: history.acc[0],
        seconds: (performance.now() - started) / 1000,
      })
    })
    onEpoch?.({ epoch, ...epochs.at(-1) })
  }
  const result = {
    weightNames: [...before.keys()],
    epochs,
    drift: measureDrift(before, readWeights(frozen)),
    evaluate: await evaluate(tf, joint, data, train, batchSize),
    validation:
      validation.length === 0 ? null : await evaluate(tf, joint, data, validation, batchSize),
  }
  joint.dispose()
  return result
}
