// Owns the other way: Headstart's own experiment on the same images, in a store of its own.

import { runExperiment } from '../../dist/src/experiment/run.js'
import { parseExperiment } from '../../dist/src/experiment/schema.js'
import { loadRun } from '../../dist/src/model/run-record.js'

/** Extracts, trains a linear head, proves parity. @returns the run and how long its parts took. */
export const trainTwoStages = async ({ workspace, experiment, folder, onEpoch }) => {
  const ends = []
  const result = await runExperiment({
    workspace,
    experiment: parseExperiment(experiment),
    folder,
    events: {
      onEpoch: (epoch) => {
        ends.push(performance.now())
        onEpoch?.(epoch)
      },
    },
  })
  const run = await loadRun(workspace.store, result.runs[0].id)
  const last = run.history.at(-1)
  return {
    baseId: run.base.id,
    // The first epoch also builds the head, so time is counted from its end.
    secondsPerEpoch: (ends.at(-1) - ends[0]) / 1000 / (ends.length - 1),
    secondsExtract: result.seconds.extract,
    fit: { loss: last.train.loss, accuracy: last.train.score },
    evaluate: run.metrics.train,
    validation: run.metrics.validation,
    computed: result.featureSet.computed,
    parity: result.parity,
  }
}
