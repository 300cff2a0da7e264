// The whole way in code: train two heads on one feature cache, then predict with the better one.
//
//   node examples/sdk/train-and-predict.mjs <base folder> <cut> <image folder>
//
// Inside another package, import from 'headstart' instead of the path below.
import {
  findRun,
  openModel,
  openWorkspace,
  parseExperiment,
  predictInputs,
  readInputs,
  runExperiment,
} from '../../dist/src/index.js'

const [base, cut, images] = process.argv.slice(2)
if (!images) throw new Error('usage: train-and-predict.mjs <base folder> <cut> <image folder>')

const workspace = await openWorkspace({ directory: process.cwd(), cacheBytes: 1e9 })
try {
  const result = await runExperiment({
    workspace,
    folder: process.cwd(),
    experiment: parseExperiment({
      name: 'sdk-example',
      base: { from: base, cut },
      dataset: { from: images },
      heads: [
        { kind: 'linear', epochs: 10 },
        { kind: 'mlp', width: 32, epochs: 10 },
      ],
    }),
  })
  console.log(`${result.featureSet.computed} computed, ${result.featureSet.reused} reused`)

  const model = await openModel(workspace.store, await findRun(workspace.store, 'sdk-example'))
  try {
    for await (const answer of predictInputs(model, readInputs([images], model.run.extractor)))
      console.log(answer.name, answer.ok ? answer.labels[0] : answer.problem)
  } finally {
    await model.close()
  }
} finally {
  await workspace.close()
}
