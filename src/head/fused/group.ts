// Owns one group of heads that share a matrix product: its weights, its steps, its predictions.
// Freed with the last reference to it; the sessions belong to the training.
import type { TrainingData } from '../types.js'
import type { StepBatch } from './batch-blocks.js'
import type { GraphShape } from './graph.js'
import { createGroupMemory, type GroupMemory } from './group-memory.js'
import type { GroupPlan } from './groups.js'
import type { LayerShape } from './layers.js'
import type { FloatTensor, MakeTensor } from './onnxruntime.js'
import type { Sessions } from './sessions.js'
import { createStepInputs } from './step-inputs.js'
import type { TaskTargets } from './task-targets.js'

/** Activations of the widest layer in one forward pass, in numbers: 32 MiB. */
const FORWARD_VALUES = 2 ** 23

export interface Group {
  readonly plan: GroupPlan
  readonly memory: GroupMemory
  /** One step of all heads. @param step counts from 0. @throws ENGINE_FAILED */
  step(batch: StepBatch, step: number): Promise<void>
  /**
   * [count, heads, units]: probabilities, or values of standardised targets; valid until the next call.
   *
   * @param features [count, width]
   */
  predict(features: Float32Array, count: number): Promise<Float32Array>
}

const shapeOf = (plan: GroupPlan, data: TrainingData, units: number): GraphShape => ({
  task: data.target.kind,
  inputs: data.width,
  units,
  depth: plan.layers.length - 1,
  width: plan.layers.length > 1 ? (plan.layers[0] as LayerShape).units : 0,
  dropout: plan.dropout > 0,
})

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

export const openGroup = async (request: {
  readonly plan: GroupPlan
  readonly data: TrainingData
  readonly targets: TaskTargets
  readonly sessions: Sessions
  readonly batchSize: number
  readonly seed: number
}): Promise<Group> => {
  const { plan, data, targets, sessions } = request
  const { tensor } = sessions.runtime
  const { units } = targets
  const heads = plan.copies.length
  const specs = plan.copies.map(({ spec }) => spec)
  const pair = await sessions.get(shapeOf(plan, data, units))
  const memory = createGroupMemory(plan.layers, specs, plan.optimizer)
  const inputs = createStepInputs({ ...request, tensor })
  const weights = tensorsOf(memory, heads, tensor, 'weights')
  const gradients = tensorsOf(memory, heads, tensor, 'gradients')
  const widest = heads * Math.max(...plan.layers.map((layer) => layer.units))
  const rowsAtOnce = Math.max(1, Math.floor(FORWARD_VALUES / widest))
  let predictions = new Float32Array(0)
  return {
    plan,
    memory,
    step: async (batch, step) => {
      await pair.step.run({ ...inputs.at(batch, step), ...weights }, gradients)
      memory.update(step + 1)
    },
    predict: async (features, count) => {
      const rowSize = heads * units
      if (predictions.length < count * rowSize) predictions = new Float32Array(count * rowSize)
      for (let begin = 0; begin < count; begin += rowsAtOnce) {
        const end = Math.min(count, begin + rowsAtOnce)
        const x = features.subarray(begin * data.width, end * data.width)
        const p = predictions.subarray(begin * rowSize, end * rowSize)
        const rows = end - begin
        await pair.forward.run(
          { x: tensor(x, [rows, data.width]), ...weights },
          { p: tensor(p, [rows, heads, units]) },
        )
      }
      return predictions.subarray(0, count * rowSize)
    },
  }
}
