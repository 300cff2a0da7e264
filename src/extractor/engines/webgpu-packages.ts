// Owns whether the optional packages of the webgpu engine are installed. Loads none of them.
import { createRequire } from 'node:module'

export const WEBGPU_PACKAGES = ['webgpu', '@tensorflow/tfjs-backend-webgpu'] as const

export const areWebgpuPackagesInstalled = (): boolean => {
  const require = createRequire(import.meta.url)
  return WEBGPU_PACKAGES.every((name) => {
    try {
      require.resolve(name)
      return true
    } catch {
      return false
    }
  })
}
