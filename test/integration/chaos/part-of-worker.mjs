// A process with one half of an extract worker, so that a test can kill the coordinator apart from the
// shards: `coordinator` or `shards`. Prints one line when it takes jobs. A coordinator may be told to kill
// itself: `coordinator <share of the samples> <moment of the pass>`.
import { setTimeout as sleep } from 'node:timers/promises'
import { openWorkspace } from '../../../dist/src/experiment/workspace.js'
import { openBackend } from '../../../dist/src/queue/backend.js'
import { consume } from '../../../dist/src/queue/consume.js'
import { createCoordinator } from '../../../dist/src/queue/coordinate.js'
import { queueNamesOf, shardQueueName } from '../../../dist/src/queue/jobs.js'
import { createSlots } from '../../../dist/src/queue/slots.js'
import { createShardHandler } from '../../../dist/src/queue/work-shard.js'

const { HEADSTART_QUEUE, HEADSTART_STORE: url } = process.env
const onNotice = (message) => process.stderr.write(`${message}\n`)
const workspace = await openWorkspace({ directory: process.cwd(), cacheBytes: 2 ** 30, url })
const backend = await openBackend(HEADSTART_QUEUE)

const takeShards = () => {
  const slots = createSlots([{}], { workspace: workspace.options, onNotice })
  const queueName = shardQueueName('wasm')
  const handler = createShardHandler({ backend, workspace, slots, onNotice }, queueName)
  return consume(backend, queueName, handler, onNotice)
}

const [part, dyingShare, moment] = process.argv.slice(2)

const isReached = (progress) => (progress?.done ?? 0) >= Number(dyingShare) * (progress?.total ?? 1)

const die = () => process.kill(process.pid, 'SIGKILL')

/** As kill -9 of this process in the first pass that finds the share computed, at a moment of that pass. */
const dying = (coordinator) => ({
  ...coordinator,
  run: (job) => {
    if (moment === 'begins' && isReached(job.progress)) setImmediate(die)
    return coordinator.run({
      ...job,
      report: async (progress) => {
        const isLast = progress.done === progress.total
        if (moment === 'begins' ? isLast : moment === 'reports' && isReached(progress)) die()
        await job.report(progress)
        if (moment === 'has reported' && isReached(progress)) die()
      },
    })
  },
})

const coordinate = () => {
  const coordinator = createCoordinator({ backend, workspace, onNotice })
  const handler = dyingShare === undefined ? coordinator : dying(coordinator)
  return consume(backend, queueNamesOf('extraction')[0], handler, onNotice)
}

const consumer = part === 'coordinator' ? coordinate() : takeShards()
while (!consumer.isReady()) await sleep(10)
process.stdout.write('ready\n')
