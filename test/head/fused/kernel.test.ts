import { readFile } from 'node:fs/promises'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureHeadBackend } from '../../../src/head/backend.js'
import { createGroupMemory } from '../../../src/head/fused/group-memory.js'
import { createGroupState } from '../../../src/head/fused/group-state.js'
import {
  initialOptimizerState,
  type OptimizerState,
  optimizerStep,
} from '../../../src/head/optimizer.js'
import { normals } from '../synthetic.js'
import { presetOf } from './support.js'

const folder = new URL('../../../src/head/fused/', import.meta.url)
const script = new URL('../../../scripts/write-kernel.mjs', import.meta.url)

beforeAll(ensureHeadBackend)

describe('the kernel', () => {
  it('that is shipped is the one of its source', async () => {
    const { kernelModule } = (await import(script.href)) as {
      kernelModule(source: string): Promise<string>
    }
    const source = await readFile(new URL('kernel.wat', folder), 'utf8')
    expect(await readFile(new URL('kernel-bytes.ts', folder), 'utf8')).toBe(
      await kernelModule(source),
    )
  })

  const optimizers = [
    { optimizer: 'adam', l2: 0.01 },
    { optimizer: 'adamw', weightDecay: 0.3, l2: 0.02 },
    { optimizer: 'sgd', momentum: 0.7, weightDecay: 0.1, l2: 0.003 },
    { optimizer: 'sgd', momentum: 0 },
  ] as const

  // Sizes with every remainder of 4, and several heads whose columns lie side by side.
  const sizes = [1, 2, 3, 4, 5, 7, 10].flatMap((units) => [1, 3].map((heads) => ({ units, heads })))

  it.each(optimizers.flatMap((settings) => sizes.map((size) => ({ ...settings, ...size }))))(
    'takes the steps of $optimizer bit for bit for $heads heads of $units units',
    ({ units, heads, ...settings }) => {
      const normal = normals(units)
      const layers = [
        { inputs: 6, units },
        { inputs: units, units: 3 },
      ]
      const specs = Array.from({ length: heads }, (_, head) =>
        presetOf({ kind: 'mlp', width: units, learningRate: 0.01 * (head + 1), ...settings }),
      )
      const draw = () =>
        layers.flatMap((layer) => [
          Float32Array.from({ length: layer.inputs * layer.units }, normal),
          Float32Array.from({ length: layer.units }, normal),
        ])
      const shapes = layers.flatMap((layer) => [[layer.inputs, layer.units], [layer.units]])
      const kind = settings.optimizer === 'sgd' ? 'sgd' : 'adam'
      const memory = createGroupMemory(layers, specs, kind)
      const start = specs.map(draw)
      const shape = { heads, layers, optimizer: kind } as const
      const state = createGroupState(shape, memory.state)
      for (const [head, values] of start.entries()) state.write(head, values)
      const tensors = (values: Float32Array[]) =>
        values.map((value, index) => tf.tensor(value, shapes[index] as number[], 'float32'))
      let wanted = start.map(tensors)
      let states: OptimizerState[] = specs.map((spec, head) =>
        initialOptimizerState(spec, wanted[head] as tf.Tensor[]),
      )
      for (let step = 1; step <= 3; step += 1) {
        const gradients = specs.map(draw)
        // The gradients of a head are written where its weights would be.
        const other = createGroupMemory(layers, specs, kind)
        const written = createGroupState(shape, other.state)
        for (const [head, values] of gradients.entries()) written.write(head, values)
        for (const [index, parameter] of memory.parameters.entries())
          parameter.gradients.set(other.parameters[index]?.weights ?? [])
        memory.update(step)
        const next = specs.map((spec, head) =>
          optimizerStep(
            spec,
            states[head] as OptimizerState,
            wanted[head] as tf.Tensor[],
            tensors(gradients[head] as Float32Array[]),
          ),
        )
        wanted = next.map(({ parameters }) => parameters)
        states = next.map(({ state }) => state)
      }
      for (const head of specs.keys()) {
        const values = (wanted[head] as tf.Tensor[]).map((tensor) => tensor.dataSync<'float32'>())
        expect(state.read(head)).toEqual(values.map((value) => Float32Array.from(value)))
      }
    },
  )
})
