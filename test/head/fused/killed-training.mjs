// A training that kills its own process, without a word to anyone, at the step that it is told.
// Arguments: name of the request, checkpoint file, number of the step (0: none), file for the outcome.
import { writeFileSync } from 'node:fs'
import { fileCheckpoint } from '../../../dist/src/head/checkpoint-file.js'
import { trainTogether } from '../../../dist/src/head/fused/train-together.js'
import { REQUESTS, signalAt } from './resume-task.mjs'

const [name, checkpoint, step, result] = process.argv.slice(2)
// The clock runs fast, so that the state is saved every few epochs.
let now = 0
performance.now = () => {
  now += 1000
  return now
}
const outcomes = await trainTogether({
  ...REQUESTS[name](),
  checkpoint: fileCheckpoint(checkpoint),
  signal: signalAt(Number(step), () => process.kill(process.pid, 'SIGKILL')),
})
writeFileSync(
  result,
  JSON.stringify(
    outcomes.map((outcome) =>
      outcome.state === 'trained'
        ? {
            ...outcome,
            head: {
              ...outcome.head,
              artifacts: {
                ...outcome.head.artifacts,
                weights: Buffer.from(outcome.head.artifacts.weights).toString('base64'),
              },
            },
          }
        : outcome,
    ),
  ),
)
