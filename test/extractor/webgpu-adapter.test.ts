import { describe, expect, it } from 'vitest'
import {
  type AdapterInfo,
  isSoftwareAdapter,
  nameOfAdapter,
} from '../../src/extractor/engines/webgpu-adapter.js'

const info = (change: Partial<AdapterInfo>): AdapterInfo => ({
  vendor: '',
  architecture: '',
  device: '',
  description: '',
  ...change,
})

describe('an adapter is a software one', () => {
  it.each([
    ['that says so', info({ vendor: 'unknown', isFallbackAdapter: true })],
    ['named SwiftShader', info({ vendor: 'google', architecture: 'swiftshader' })],
    ['named llvmpipe', info({ vendor: 'mesa', device: 'llvmpipe-llvm-19-1-7-256-bits-' })],
    ['named WARP', info({ vendor: 'microsoft', architecture: 'warp' })],
    ['named Basic Render', info({ description: 'Microsoft Basic Render Driver' })],
  ])('%s', (_, adapter) => {
    expect(isSoftwareAdapter(adapter)).toBe(true)
    expect(nameOfAdapter(adapter)).toMatch(/^cpu \(webgpu: .+\)$/)
  })
})

describe('an adapter is a GPU', () => {
  it.each([
    [
      'of NVIDIA',
      info({
        vendor: 'nvidia',
        architecture: 'ampere',
        device: 'rtx-a4000',
        description: '550.54',
      }),
      'webgpu (nvidia ampere, rtx-a4000, 550.54)',
    ],
    [
      'of AMD on Mesa',
      info({ vendor: 'amd', architecture: 'rdna-3', description: 'radv: Mesa 25.0.7 (LLVM 19)' }),
      'webgpu (amd rdna-3, radv: Mesa 25.0.7 (LLVM 19))',
    ],
    ['of Apple', info({ vendor: 'apple', isFallbackAdapter: false }), 'webgpu (apple)'],
    ['whose name has "warp" in it', info({ vendor: 'warped' }), 'webgpu (warped)'],
  ])('%s, and is named with its driver', (_, adapter, name) => {
    expect(isSoftwareAdapter(adapter)).toBe(false)
    expect(nameOfAdapter(adapter)).toBe(name)
  })
})
