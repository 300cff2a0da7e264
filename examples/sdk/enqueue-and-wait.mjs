// The service in code: enqueue a training, watch it, read the run. With `queue: 'redis://...'` and an
// s3:// `url` the workers may be anywhere; here they are in this process, on the embedded queue.
//
//   node examples/sdk/enqueue-and-wait.mjs <base folder> <cut> <image folder>
//
// Inside another package, import from 'headstart' instead of the path below.
import { openService } from '../../dist/src/index.js'

const [base, cut, images] = process.argv.slice(2)
if (!images) throw new Error('usage: enqueue-and-wait.mjs <base folder> <cut> <image folder>')

const folder = process.cwd()
const service = await openService({ directory: folder, cacheBytes: 1e9 })
try {
  await service.startWorker('extract')
  await service.startWorker('train')
  const experiment = {
    name: 'service-example',
    base: { from: base, cut },
    dataset: { from: images },
    heads: [{ kind: 'linear', epochs: 10 }],
  }
  const training = await service.enqueueTraining(experiment, { folder })
  // The same request again is the same job.
  const again = await service.enqueueTraining(experiment, { folder })
  console.log('one job', training.ids[0] === again.ids[0])

  training.on('progress', ({ state, progress }) => {
    if (progress?.kind === 'training') console.log(state, progress.phase, progress.epoch)
  })
  const [extraction] = await training.extraction.finished()
  console.log(`${extraction?.computed} computed, ${extraction?.reused} reused`)
  await training.finished()
  const run = await service.getRun('service-example')
  console.log('parity', run.parity.bitwise ? 'bitwise' : 'within tolerance')
} finally {
  await service.close()
}
