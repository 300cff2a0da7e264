// What the engine tensorflow is told before its library is loaded. The library itself is not needed.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { deviceSchema } from '../../src/extractor/device.js'
import {
  findTensorflowPackage,
  tensorflowMissing,
} from '../../src/extractor/engines/tensorflow-package.js'
import {
  applyTensorflowChoice,
  visibleGpuFor,
} from '../../src/extractor/engines/tensorflow-process.js'
import { makeFolder } from '../support/folders.js'

describe('the GPU that TensorFlow sees', () => {
  it.each([
    ['auto', undefined, undefined],
    ['auto', '2,3', '2,3'],
    ['cpu', undefined, '-1'],
    ['cpu', '0', '-1'],
    ['cuda', undefined, '0'],
    ['cuda:3', undefined, '3'],
    ['cuda:1', '2,5', '5'],
    ['cuda', 'GPU-8f6c, GPU-11aa', 'GPU-8f6c'],
  ])('for %s among %s is %s', (device, visible, expected) => {
    expect(deviceSchema.parse(device)).toBe(device)
    expect(visibleGpuFor(device, visible)).toBe(expected)
  })

  it.each([
    ['cuda:2', '0,1', 'shows 2 GPUs'],
    ['cuda', '', 'shows 0 GPUs'],
    ['cuda:1', '3,-1,4', 'shows 1 GPUs'],
    ['webgpu', undefined, 'no device webgpu'],
    ['tensorrt:1', undefined, 'no device tensorrt:1'],
  ])('for %s among %j is refused', (device, visible, said) => {
    expect(() => visibleGpuFor(device, visible)).toThrow(
      expect.objectContaining({
        code: 'ENGINE_UNAVAILABLE',
        message: expect.stringContaining(said) as string,
      }) as Error,
    )
  })
})

describe('the environment of a process with TensorFlow', () => {
  it('takes GPU memory as it is needed, has the same kernels each time and no TF32', () => {
    const environment: Record<string, string | undefined> = {}
    applyTensorflowChoice(environment, { device: 'cuda:1' })
    expect(environment).toMatchObject({
      CUDA_VISIBLE_DEVICES: '1',
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      TF_FORCE_GPU_ALLOW_GROWTH: 'true',
      TF_DETERMINISTIC_OPS: '1',
      NVIDIA_TF32_OVERRIDE: '0',
    })
  })

  it('is inherited by a child, which does not count among what is left', () => {
    const environment: Record<string, string | undefined> = { CUDA_VISIBLE_DEVICES: '4,7' }
    applyTensorflowChoice(environment, { device: 'cuda:1' })
    applyTensorflowChoice(environment, { device: 'cuda:1' })
    expect(environment.CUDA_VISIBLE_DEVICES).toBe('7')
    // A worker gives each of its stage processes a GPU of its own.
    environment.CUDA_VISIBLE_DEVICES = '4'
    applyTensorflowChoice(environment, { device: 'cuda' })
    expect(environment.CUDA_VISIBLE_DEVICES).toBe('4')
  })

  it('keeps what the operator wrote, but for TF32', () => {
    const environment: Record<string, string | undefined> = {
      CUDA_DEVICE_ORDER: 'FASTEST_FIRST',
      TF_FORCE_GPU_ALLOW_GROWTH: 'false',
      NVIDIA_TF32_OVERRIDE: '1',
    }
    applyTensorflowChoice(environment, { device: 'auto' })
    expect(environment).toMatchObject({
      CUDA_DEVICE_ORDER: 'FASTEST_FIRST',
      TF_FORCE_GPU_ALLOW_GROWTH: 'false',
      NVIDIA_TF32_OVERRIDE: '0',
    })
    expect(environment.CUDA_VISIBLE_DEVICES).toBeUndefined()
  })
})

describe('the package', () => {
  const install = async (folder: string, name: string): Promise<void> => {
    const target = join(folder, 'node_modules', name)
    await mkdir(target, { recursive: true })
    await writeFile(join(target, 'package.json'), JSON.stringify({ name, main: 'index.js' }))
    await writeFile(join(target, 'index.js'), '')
  }

  it('is that of the folder, the one for GPUs first', async () => {
    const folder = await makeFolder()
    await install(folder, '@tensorflow/tfjs-node')
    expect(findTensorflowPackage({ tensorflowFolder: folder })).toMatch(/\/tfjs-node\/index\.js$/)
    await install(folder, '@tensorflow/tfjs-node-gpu')
    expect(findTensorflowPackage({ tensorflowFolder: folder })).toMatch(
      /\/tfjs-node-gpu\/index\.js$/,
    )
  })

  it('is never that of a folder above', async () => {
    const above = await makeFolder()
    await install(above, '@tensorflow/tfjs-node')
    const folder = join(above, 'inner')
    await mkdir(folder)
    expect(findTensorflowPackage({ tensorflowFolder: folder })).toBeNull()
    const { code, message, details } = tensorflowMissing({ tensorflowFolder: folder })
    expect(code).toBe('ENGINE_UNAVAILABLE')
    expect(message).toContain(folder)
    expect(details.join()).toContain(`build-tensorflow.mjs --to ${folder}`)
  })
})
