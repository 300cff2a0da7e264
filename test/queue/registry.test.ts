import { describe, expect, it } from 'vitest'
import { assertBindings, type Binding } from '../../src/queue/registry.js'

const extraction: Binding = { kind: 'extraction', queueName: 'headstart-extraction' }
const shard: Binding = { kind: 'shard', queueName: 'headstart-shard-wasm' }
const training: Binding = { kind: 'training', queueName: 'headstart-training' }

const faultsOf = (worker: 'extract' | 'train', bindings: readonly Binding[]): unknown => {
  try {
    assertBindings(worker, bindings)
    return null
  } catch (error) {
    return error
  }
}

describe('the bindings of a worker', () => {
  it('are one handler a kind; shards may have one a queue', () => {
    const other = { kind: 'shard', queueName: 'headstart-shard-tensorflow' } as const
    expect(faultsOf('extract', [extraction, shard, other])).toBeNull()
    expect(faultsOf('train', [training])).toBeNull()
  })

  it('are refused with each fault: a missing handler, a doubled one, one of another worker', () => {
    expect(faultsOf('extract', [shard, shard, training])).toMatchObject({
      code: 'WORKER_INVALID',
      details: [
        'no handler for extraction jobs',
        'two handlers for headstart-shard-wasm',
        'a handler for training jobs, which are not for this worker',
      ],
    })
    expect(faultsOf('train', [])).toMatchObject({ details: ['no handler for training jobs'] })
  })
})
