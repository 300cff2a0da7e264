// Owns the way from the environment and --store to a workspace.
import type { Config } from '../config.js'
import { openWorkspace, type Workspace } from '../experiment/workspace.js'
import type { DeviceRequest } from '../extractor/device.js'

/** The store that was asked for; undefined: the embedded one of the folder. */
export const storeUrlOf = (
  options: { readonly store?: string },
  config: Config,
): string | undefined => options.store ?? config.storeUrl

/** @param folder holds `.headstart`. @param url default: the embedded store. */
export const openConfigured = (
  config: Config,
  folder: string,
  url: string | undefined,
  device: DeviceRequest = config.engines.device,
): Promise<Workspace> =>
  openWorkspace({
    directory: folder,
    cacheBytes: config.cacheBytes,
    engines: { ...config.engines, device },
    ...(config.memoryBytes === undefined ? {} : { memoryBytes: config.memoryBytes }),
    ...(url === undefined ? {} : { url }),
    ...(config.s3Endpoint === undefined ? {} : { s3Endpoint: config.s3Endpoint }),
    ...(config.s3Region === undefined ? {} : { s3Region: config.s3Region }),
    ...(config.s3ForcePathStyle === undefined ? {} : { s3ForcePathStyle: config.s3ForcePathStyle }),
    ...(config.s3Checksums === undefined ? {} : { s3Checksums: config.s3Checksums }),
  })
