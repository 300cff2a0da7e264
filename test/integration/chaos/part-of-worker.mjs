// A process with one half of an extract worker, so that a test can kill the coordinator apart from the
// shards: `coordinator` or `shards`. Prints one line when it takes jobs.
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

const coordinate = () =>
  consume(
    backend,
    queueNamesOf('extraction')[0],
    createCoordinator({ backend, workspace, onNotice }),
    onNotice,
  )

const consumer = process.argv[2] === 'coordinator' ? coordinate() : takeShards()
while (!consumer.isReady()) await sleep(10)
process.stdout.write('ready\n')
