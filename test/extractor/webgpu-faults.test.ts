// What the engine webgpu refuses, on SwiftShader. Needs the driver that `node scripts/setup.mjs --tests`
// unpacks.
import { beforeEach, describe, expect, it } from 'vitest'
import { probeEngineInThread } from '../../src/extractor/engines/pool.js'
import { type EditableBase, graphBaseInMemory, writeBase } from '../support/base-files.js'
import { registerInNewStore } from '../support/extractors.js'
import { TINY_SIDE } from '../support/tiny-base.js'
import { noGpu, ON_WEBGPU, openPool, softwareGpu } from '../support/vulkan.js'

const SHAPE = [TINY_SIDE, TINY_SIDE, 3]
const WIDTH = TINY_SIDE * TINY_SIDE * 3

// Engine processes are started with the environment of this one.
beforeEach(() => {
  Object.assign(process.env, softwareGpu())
})

const probe = (device: string) => probeEngineInThread('webgpu', { ...ON_WEBGPU, device })
const unavailable = (message: RegExp) =>
  expect.objectContaining({
    code: 'ENGINE_UNAVAILABLE',
    message: expect.stringMatching(message),
  }) as Error

describe('the engine webgpu', () => {
  it('takes a software adapter where the device is named', async () => {
    await expect(probe('webgpu')).resolves.toMatchObject({
      engine: 'webgpu',
      device: expect.stringMatching(/swiftshader/i),
    })
  })

  it('refuses a software adapter where the device is auto, and says its name', async () => {
    await expect(probe('auto')).rejects.toThrow(
      unavailable(/software adapter only, .*swiftshader/i),
    )
  })

  it.each(['cpu', 'cuda', 'cuda:1', 'tensorrt'])('has no device %s', async (device) => {
    await expect(probe(device)).rejects.toThrow(unavailable(/no device .* auto and webgpu/))
  })

  it('says what is needed where there is no GPU, and what the driver said', async () => {
    Object.assign(process.env, noGpu())
    await expect(probe('webgpu')).rejects.toThrow(unavailable(/finds no GPU.* Vulkan .*driver/))
    await expect(probe('webgpu')).rejects.toMatchObject({
      details: expect.arrayContaining([expect.stringMatching(/no-such-driver\.json/)]),
    })
  })
})

/** UpSampling2D to a tensor of 16 x 2400 x 2400 x 3 floats, more than any buffer of the adapter holds. */
const tooLarge = (): EditableBase => ({
  model: {
    format: 'layers-model',
    modelTopology: {
      keras_version: 'tfjs-layers 4.22.0',
      backend: 'tensor_flow.js',
      model_config: {
        class_name: 'Sequential',
        config: {
          name: 'large',
          layers: [
            {
              class_name: 'UpSampling2D',
              config: { name: 'up', size: [300, 300], batch_input_shape: [null, ...SHAPE] },
            },
            { class_name: 'GlobalAveragePooling2D', config: { name: 'pool' } },
          ],
        },
      },
    },
    weightsManifest: [{ paths: ['weights.bin'], weights: [] }],
  },
  weights: Buffer.alloc(0),
})

/** The small GraphModel with a node whose axis is computed from its features: 0 * sum + 1. */
const needsValues = (): EditableBase => {
  const { model, weights } = graphBaseInMemory()
  const { node } = model.modelTopology as { node: object[] }
  const [group] = model.weightsManifest
  const float = { T: { type: 'DT_FLOAT' } }
  const constant = (name: string, dtype: string, values: number[]) => {
    node.push({ name, op: 'Const', attr: { dtype: { type: dtype } } })
    const isFloat = dtype === 'DT_FLOAT'
    const shape = values.length > 1 ? [values.length] : []
    group?.weights.push({ name, shape, dtype: isFloat ? 'float32' : 'int32' })
    return Buffer.from((isFloat ? Float32Array : Int32Array).from(values).buffer)
  }
  const added = [
    constant('all', 'DT_INT32', [0, 1, 2, 3]),
    constant('zero', 'DT_FLOAT', [0]),
    constant('one', 'DT_FLOAT', [1]),
  ]
  node.push(
    { name: 'sum', op: 'Sum', input: ['relu', 'all'], attr: { ...float, keep_dims: { b: false } } },
    { name: 'nothing', op: 'Mul', input: ['sum', 'zero'], attr: float },
    { name: 'axis', op: 'Add', input: ['nothing', 'one'], attr: float },
    {
      name: 'whole',
      op: 'Cast',
      input: ['axis'],
      attr: { SrcT: { type: 'DT_FLOAT' }, DstT: { type: 'DT_INT32' } },
    },
    { name: 'expanded', op: 'ExpandDims', input: ['mean', 'whole'], attr: float },
  )
  return { model, weights: Buffer.concat([weights, ...added]) }
}

describe('a forward pass on webgpu', () => {
  it('fails when the GPU reports an error, now and afterwards, and gives no zeros', async () => {
    const base = await registerInNewStore(await writeBase(tooLarge()))
    const pool = await openPool(base, { cut: 'pool', shape: SHAPE })
    for (let round = 0; round < 2; round += 1)
      await expect(
        pool.forward({ data: new Float32Array(WIDTH).fill(1), count: 1 }),
      ).rejects.toMatchObject({
        code: 'ENGINE_FAILED',
        message: expect.stringMatching(/WebGPU failed: .*exceeds/),
      })
  })

  it('refuses a base that needs computed values on the way, and names the reason', async () => {
    const base = await registerInNewStore(await writeBase(needsValues()))
    const data = () => new Float32Array(WIDTH).fill(1)
    const fits = await openPool(base, { cut: 'mean', shape: SHAPE })
    expect((await fits.forward({ data: data(), count: 1 })).shape).toEqual([5])
    const wasm = await openPool(base, { cut: 'expanded', shape: SHAPE, engine: 'wasm' })
    expect((await wasm.forward({ data: data(), count: 1 })).shape).toEqual([1, 5])
    const pool = await openPool(base, { cut: 'expanded', shape: SHAPE })
    await expect(pool.forward({ data: data(), count: 1 })).rejects.toMatchObject({
      code: 'BASE_LAYER_UNKNOWN',
      message: expect.stringMatching(/needs a computed value.*use another engine/),
    })
  })
})
