// Owns what WebGPU says about an adapter: its name as it is recorded, and whether it is a processor
// that plays a GPU. Pure.

/** The part of GPUAdapterInfo that is used; a driver may leave any text empty. */
export interface AdapterInfo {
  readonly vendor: string
  readonly architecture: string
  readonly device: string
  readonly description: string
  readonly isFallbackAdapter?: boolean
}

/** SwiftShader, Mesa's lavapipe (llvmpipe), Microsoft's WARP (Basic Render Driver). */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|\bwarp\b|basic render/i

const wordsOf = ({ vendor, architecture, device, description }: AdapterInfo): string =>
  [`${vendor} ${architecture}`.trim(), device, description].filter((text) => text !== '').join(', ')

export const isSoftwareAdapter = (info: AdapterInfo): boolean =>
  info.isFallbackAdapter === true || SOFTWARE.test(wordsOf(info))

/**
 * As it is recorded with features. The description has the driver's version, so that another driver is
 * another device. `cpu (webgpu: ...)` for a software adapter, `webgpu (...)` for a GPU.
 */
export const nameOfAdapter = (info: AdapterInfo): string =>
  isSoftwareAdapter(info) ? `cpu (webgpu: ${wordsOf(info)})` : `webgpu (${wordsOf(info)})`
