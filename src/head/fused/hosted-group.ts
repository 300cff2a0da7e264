// Owns one group of heads that share a matrix product: its steps and its predictions in this thread.
// Freed with the last reference to it; the sessions belong to the host.
import { createGroupMemory, type GroupMemory } from './group-memory.js'
import type { GroupOrder, StepBlock } from './host.js'
import type { FloatTensor, MakeTensor } from './onnxruntime.js'
import type { Sessions } from './sessions.js'
import { createStepInputs } from './step-inputs.js'

/** Activations of the widest layer in one forward pass, in numbers: 32 MiB. */
const FORWARD_VALUES = 2 ** 23

export interface HostedGroup {
  readonly order: GroupOrder
  /** One step on rows of a block. @param step counts from 0. @throws ENGINE_FAILED */
  step(block: StepBlock, begin: number, step: number): Promise<void>
  /** @param features [count, width], not in shared memory. @param into [count, heads, units] */
  predict(features: Float32Array, count: number, into: Float32Array): Promise<void>
  store(): void
}

/** Weights, or gradients, of a group as the tensors of its graphs. */
const tensorsOf = (
  memory: GroupMemory,
  heads: number,
  tensor: MakeTensor,
  what: 'weights' | 'gradients',
): Record<string, FloatTensor> => {
  const prefix = what === 'weights' ? '' : 'g'
  const tensors: Record<string, FloatTensor> = {}
  for (const [index, parameter] of memory.parameters.entries()) {
    const { inputs, units, isKernel } = parameter
    const layer = index >> 1
    const first = isKernel ? [inputs, heads * units] : [heads * units]
    const dims = layer === 0 ? first : [heads, inputs, units]
    tensors[`${prefix}${isKernel ? 'w' : 'b'}${layer}`] = tensor(parameter[what], dims)
  }
  return tensors
}

/** @param scratch so many numbers that are free until the step has ended. @throws ENGINE_FAILED */
export const openHostedGroup = async (
  order: GroupOrder,
  sessions: Sessions,
  scratch: (length: number) => Float32Array,
): Promise<HostedGroup> => {
  const { tensor } = sessions.runtime
  const { layers, specs, optimizer, batchSize, graph, state } = order
  const heads = specs.length
  const pair = await sessions.get(graph)
  const memory = createGroupMemory(layers, specs, optimizer)
  memory.state.set(state)
  const inputs = createStepInputs(order, tensor, scratch)
  const weights = tensorsOf(memory, heads, tensor, 'weights')
  const gradients = tensorsOf(memory, heads, tensor, 'gradients')
  const widest = heads * Math.max(...layers.map((layer) => layer.units))
  const rowsAtOnce = Math.max(1, Math.floor(FORWARD_VALUES / widest))
  return {
    order,
    step: async (block, begin, step) => {
      const batch = { block, begin, count: Math.min(batchSize, block.count - begin) }
      await pair.step.run({ ...inputs.at(batch, step), ...weights }, gradients)
      memory.update(step + 1)
    },
    predict: async (features, count, into) => {
      const { inputs: width, units } = graph
      for (let begin = 0; begin < count; begin += rowsAtOnce) {
        const rows = Math.min(count - begin, rowsAtOnce)
        const x = tensor(features.subarray(begin * width, (begin + rows) * width), [rows, width])
        into.set(await pair.forward.compute({ x, ...weights }, 'p'), begin * heads * units)
      }
    },
    store: () => state.set(memory.state),
  }
}
